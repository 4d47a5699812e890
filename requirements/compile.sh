#!/usr/bin/env bash
# Resolves the locked requirement files: each package with one version and the hashes of all its files.
# usage: compile.sh FOLDER_OF_UV, with FIND_LINKS=<folder or address> where PyTorch's own index is out of reach.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1/uv
# PyTorch's CPU build is on an index of its own, under a version with the tag `+cpu`.
torch_links=${FIND_LINKS:-https://download.pytorch.org/whl/cpu/torch/}
torch=$(grep -oP '"\Ktorch==[^"]+' pyproject.toml)
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
echo "$torch" >"$scratch/torch.in"
echo "$torch+cpu" >"$scratch/cpu.in"

lock() {
    "$uv" pip compile --quiet --generate-hashes --no-annotate --no-header --python-version "${python:-3.11}" \
        --output-file "$@"
}
# Locks $1 for an environment with torch, whose lines are those of torch.txt.
lock_with_torch() {
    # The versions that it has already are kept where they may be.
    without_torch "requirements/$1" >"$scratch/$1"
    lock "$scratch/$1" --override "$scratch/cpu.in" --find-links "$torch_links" "${@:2}"
    { echo '--requirement torch.txt' && without_torch "$scratch/$1"; } >"requirements/$1"
}
without_torch() {
    awk '/^[^ ]/ { skip = /^torch==/ } !skip && !/^--requirement torch/' "$1"
}
versions_of() {
    grep -oE '^[A-Za-z0-9._-]+==[^ ]+' "$1" >"$scratch/versions"
    echo "$scratch/versions"
}

# torch: all files of PyPI's release, and those of the CPU build. PyPI's build for Linux wants CUDA's libraries.
lock requirements/torch-cuda.txt --python-platform x86_64-manylinux_2_28 "$scratch/torch.in"
lock "$scratch/release" --no-deps "$scratch/torch.in"
lock "$scratch/cpu" --no-deps --find-links "$torch_links" "$scratch/cpu.in"
{
    echo "$torch \\"
    {
        grep -hoE 'sha256:[0-9a-f]+' "$scratch/release" "$scratch/cpu"
        # An index says what its files hash to, a folder does not.
        [ ! -d "$torch_links" ] || sha256sum "$torch_links/${torch/==/-}"+cpu-*.whl | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
    } | sort -u | sed -e 's/^/    --hash=/' -e '$!s/$/ \\/'
} >requirements/torch.txt

lock_with_torch dev.txt --extra dev pyproject.toml
dev=$(versions_of requirements/dev.txt)
lock_with_torch local.txt --extra local --constraint "$dev" pyproject.toml
image=$(printf -- '--extra %s ' batch-catboost batch-collect batch-lightgbm batch-search batch-tensorflow batch-torch batch-xgboost serve)
# shellcheck disable=SC2086
lock_with_torch image.txt $image --constraint "$dev" pyproject.toml
for layer in deps identity inference preparation; do
    # For Lambda's Python and Amazon Linux 2023, from wheels only (infra/cdk/build_layers.py).
    python=3.12 lock "layers/$layer/requirements.txt" --python-platform x86_64-manylinux_2_34 \
        --only-binary :all: --constraint "$dev" "layers/$layer/requirements.in"
done
# For Amazon Linux 2023 too, with the Python that batch_jobs/images/spark.Dockerfile installs there.
lock requirements/spark-image.txt --python-platform x86_64-manylinux_2_34 --only-binary :all: --constraint "$dev" \
    requirements/spark-image.in
lock requirements/cdk.txt --extra aws --extra cdk --extra test pyproject.toml
for name in audit browser console sagemaker spark; do
    lock "requirements/$name.txt" "requirements/$name.in"
done
