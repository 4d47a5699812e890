#!/bin/sh
# Installs the job container's Python environment; the image and the test of the image run the same lines.
# usage: install.sh FOLDER [TORCH_INDEX], in the root of the repository. Without an index torch is the registry's own.
set -eu
folder=$1
index=${2:-}

pip() {
    "$folder/bin/python" -m pip install --quiet --no-cache-dir --no-compile "$@"
}
python3 -m venv "$folder"
if [ -n "$index" ]; then
    pip --no-deps --index-url "$index" "$(grep '^torch==' requirements/image.txt)"
fi
pip --requirement requirements/image.txt
packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp -R batch_jobs layers/core/python/aimass_core sdk/aimass "$packages/"
rm -rf "$packages/batch_jobs/images"

# SageMaker starts an image by these two names; Batch names the module.
for program in train serve; do
    printf '#!/bin/sh\nexec %s/bin/python -m batch_jobs %s "$@"\n' "$folder" "$program" >"$folder/bin/$program"
    chmod 755 "$folder/bin/$program"
done
