"""Installs the third-party layers for Lambda's platform: `python -m infra.cdk.build_layers`, before `cdk deploy`."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from infra.cdk.assets import ASSETS, REPOSITORY, Asset

# Lambda's limit for a function's code and all its layers, unpacked. The rest is left to aimass_core and the function.
LAYER_LIMIT_BYTES = 245 * 1024**2
# What Amazon Linux 2023 (glibc 2.34) can load; pip matches these names one by one.
_PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 26, 24, 17)), "manylinux2014_x86_64")
_PYTHON_VERSION = "3.12"


class LayerBuildError(Exception):
    """A layer cannot be built or would be refused by Lambda."""


def build_layers(build_path: Path = REPOSITORY / "build") -> dict[str, int]:
    """Builds every heavy layer anew.

    Returns:
        The size of each in bytes, unpacked.

    Raises:
        LayerBuildError: pip failed, or a layer is over Lambda's limit.
    """
    return {name: _build_layer(asset, build_path / name) for name, asset in ASSETS.items() if asset.heavy}


def pip_arguments(requirements: Path, target: Path) -> list[str]:
    """Wheels only, for Lambda's Python and not for the one that runs here."""
    platforms = [argument for platform in _PLATFORMS for argument in ("--platform", platform)]
    return [
        *("install", "--quiet", "--require-hashes", "--requirement", str(requirements)),
        *("--target", str(target), "--no-compile"),
        *("--implementation", "cp", "--python-version", _PYTHON_VERSION, "--only-binary", ":all:", *platforms),
    ]


def leave_out(target: Path, patterns: Iterable[str]) -> None:
    """Removes what is never imported from an installed layer."""
    for path in (found for pattern in patterns for found in target.glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def patterns_of(layer: Path) -> list[str]:
    """What its `leave_out.txt` names."""
    lines = (layer / "leave_out.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _build_layer(asset: Asset, path: Path) -> int:
    requirements = REPOSITORY / asset.name / "requirements.txt"
    shutil.rmtree(path, ignore_errors=True)
    target = path / "python"
    finished = subprocess.run([sys.executable, "-m", "pip", *pip_arguments(requirements, target)], check=False)
    if finished.returncode:
        raise LayerBuildError(f"pip could not install {requirements} (exit code {finished.returncode}): see above")
    leave_out(target, patterns_of(REPOSITORY / asset.name))
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    if size > LAYER_LIMIT_BYTES:
        raise LayerBuildError(
            f"{asset.name} has {size / 1024**2:.0f} MiB, Lambda takes {LAYER_LIMIT_BYTES / 1024**2:.0f}: "
            f"remove packages from {requirements}"
        )
    return size


def main() -> int:
    """Prints the size of each layer; returns the exit code."""
    try:
        sizes = build_layers()
    except LayerBuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name, size in sizes.items():
        sys.stdout.write(f"{name}: {size / 1024**2:.0f} MiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
