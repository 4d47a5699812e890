#!/bin/sh
# Installs a locked requirement file: nothing but what it names, and only files that hash to what it says.
# usage: install.sh FOLDER_OF_PYTHON NAME..., with TORCH=cuda for PyTorch's build with CUDA (several GB).
set -eu
python=$1/python
folder=$(dirname "$0")
shift

pip() {
    "$python" -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes "$@"
}
# By all processors, where pip takes one, and without the tests of what is installed: two fifths of it.
compile() {
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    # Some files are of newer versions of Python, or templates.
    "$python" -m compileall -qq -j 0 -x '/tests?/' "$site" || true
}
# PyTorch's CPU build is on an index of its own. PyPI's for Linux would ask for CUDA's libraries, which no lock has.
install_torch() {
    pinned=$(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$folder/torch.txt")
    case "$("$python" -m pip show torch 2>/dev/null | sed -n 's/^Version: //p')" in "$pinned" | "$pinned"+*) return ;; esac
    if [ "${TORCH:-cpu}" = cuda ]; then
        pip --requirement "$folder/torch-cuda.txt"
        return
    fi
    index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
    build=$([ "$(uname -sm)" != "Linux x86_64" ] || echo +cpu)
    sed "s/^torch==$pinned/&$build/" "$folder/torch.txt" |
        pip --no-deps --retries 1 --extra-index-url "$index" --requirement /dev/stdin || {
        echo "torch==$pinned$build was not found in $index: name another index in TORCH_INDEX, or set TORCH=cuda." >&2
        exit 1
    }
}

for name in "$@"; do
    ! grep -q '^--requirement torch.txt' "$folder/$name.txt" || install_torch
    pip --requirement "$folder/$name.txt"
done
compile
