# What Spark on EMR Serverless runs recipes in: AWS's image of the release that infra/cdk/stacks/spark.py names, and our
# Python with what is locked for it. Name it by its content, as ECR Public shows it:
#   docker build --file batch_jobs/images/spark.Dockerfile --tag aimass-spark \
#     --build-arg RELEASE=public.ecr.aws/emr-serverless/spark/emr-7.9.0@sha256:... .
ARG RELEASE
FROM ${RELEASE}
USER root
RUN dnf install --assumeyes python3.11 python3.11-pip && dnf clean all
WORKDIR /src
COPY requirements requirements
COPY batch_jobs batch_jobs
COPY layers/core/python/aimass_core layers/core/python/aimass_core
RUN PYTHON=python3.11 batch_jobs/images/install_spark.sh /opt/aimass
USER hadoop:hadoop
