#!/bin/sh
# Installs the Python environment of Spark's image, beside the Spark that is there; the test of it runs the same lines.
# usage: install_spark.sh FOLDER, in the root of the repository; with PYTHON=<interpreter of 3.11>.
set -eu
folder=$1

"${PYTHON:-python3}" -m venv "$folder"
PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 requirements/install.sh "$folder/bin" spark-image
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$packages/batch_jobs"
cp -R layers/core/python/aimass_core "$packages/"
cp -R batch_jobs/__init__.py batch_jobs/spark "$packages/batch_jobs/"
