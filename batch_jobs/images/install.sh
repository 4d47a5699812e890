#!/bin/sh
# Installs the job container's Python environment; the image and the test of the image run the same lines.
# usage: install.sh FOLDER, in the root of the repository; with TORCH=cuda for PyTorch's build with CUDA.
set -eu
folder=$1

python3 -m venv "$folder"
PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 requirements/install.sh "$folder/bin" image
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp -R batch_jobs layers/core/python/aimass_core sdk/aimass "$packages/"
rm -rf "$packages/batch_jobs/images"

# SageMaker starts an image by these two names; Batch names the module.
for program in train serve; do
    printf '#!/bin/sh\nexec %s/bin/python -m batch_jobs %s "$@"\n' "$folder" "$program" >"$folder/bin/$program"
    chmod 755 "$folder/bin/$program"
done
