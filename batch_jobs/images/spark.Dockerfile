# What Spark on EMR Serverless runs recipes in: AWS's image of the release that infra/cdk/stacks/spark.py names, by its
# content as ECR Public shows it, and beside its Spark a Python of ours with what is locked for it:
#   make spark-image RELEASE=public.ecr.aws/emr-serverless/spark/emr-7.9.0@sha256:...
ARG RELEASE
FROM ${RELEASE}
# The user that installs, and the one that the service wants, by the names that its documentation gives them; packages are
# those of the release, which is pinned.
# hadolint ignore=DL3066
USER root
# hadolint ignore=DL3041
RUN dnf install --assumeyes python3.11 python3.11-pip && dnf clean all
WORKDIR /src
COPY requirements requirements
COPY batch_jobs batch_jobs
COPY layers/core/python/aimass_core layers/core/python/aimass_core
RUN PYTHON=python3.11 batch_jobs/images/install_spark.sh /opt/aimass
# hadolint ignore=DL3066
USER hadoop:hadoop
