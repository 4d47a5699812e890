#!/usr/bin/env bash
# Resolves the pinned requirement files. torch is pinned without its build tag: `+cpu` exists on some indexes only.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
    "$1/pip-compile" --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        --allow-unsafe --output-file "requirements/$2.txt" "${@:3}"
    sed -i -e 's/+cpu$//' -e '/^aimass @/d' "requirements/$2.txt"
}
compile "$1" dev --extra dev pyproject.toml
compile "$1" local --extra local --constraint requirements/dev.txt pyproject.toml
image=$(printf -- '--extra %s ' batch-collect batch-lightgbm batch-search batch-tensorflow batch-torch batch-xgboost serve)
# shellcheck disable=SC2086
compile "$1" image $image --constraint requirements/dev.txt pyproject.toml
compile "$1" cdk --extra aws --extra cdk --extra test pyproject.toml
compile "$1" sagemaker requirements/sagemaker.in
