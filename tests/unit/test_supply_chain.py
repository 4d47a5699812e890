"""FAULTS J12: what is installed is what was resolved."""

import json
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKED_PACKAGE = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; .+)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+\n")
LOCKED = sorted(
    str(path.relative_to(REPOSITORY))
    for pattern in ("requirements/*.txt", "layers/*/requirements.txt")
    for path in REPOSITORY.glob(pattern)
)


@pytest.mark.parametrize("name", LOCKED)
def test_j12_every_package_has_one_version_and_is_known_by_its_content(name: str) -> None:
    text = (REPOSITORY / name).read_text("utf-8").removeprefix("--requirement torch.txt\n")
    assert text
    assert LOCKED_PACKAGE.sub("", text) == ""


def test_j12_nothing_is_installed_but_what_is_locked() -> None:
    """`make`, the image and the layers install by two programs; both refuse what has no hash."""
    program = (REPOSITORY / "requirements" / "install.sh").read_text("utf-8")
    assert [line for line in program.splitlines() if "-m pip install" in line and "--require-hashes" not in line] == []
    for name in ("Makefile", "batch_jobs/images/install.sh", "batch_jobs/images/install_spark.sh"):
        installs = re.findall(r"pip install .*", (REPOSITORY / name).read_text("utf-8"))
        assert all("--no-deps --editable ." in each for each in installs), name


def test_j12_packages_of_the_console_are_known_by_their_content() -> None:
    folder = REPOSITORY / "functions" / "console" / "ui"
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)


def test_j12_images_are_known_by_their_content() -> None:
    names = ("batch_jobs/images/Dockerfile", "localstack/Dockerfile", "localstack/docker-compose.yml")
    texts = [(REPOSITORY / name).read_text("utf-8") for name in names]
    bases = [re.findall(r"(?:^FROM |^ *image: ).*", text, re.MULTILINE) for text in texts]
    assert all(bases)
    assert all(re.search(r"@sha256:[0-9a-f]{64}", base) for found in bases for base in found)


def test_j12_the_base_of_sparks_image_has_to_be_named_by_its_content() -> None:
    """AWS gives no address of it that means the same for ever, so whoever builds names what ECR Public shows."""
    text = (REPOSITORY / "batch_jobs/images/spark.Dockerfile").read_text("utf-8")
    assert re.findall(r"^(?:ARG|FROM) .*", text, re.MULTILINE) == ["ARG RELEASE", "FROM ${RELEASE}"]
    done = subprocess.run(
        ["make", "spark-image", "RELEASE=emr-7.9.0:latest"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "by its digest" in done.stderr) == (2, True)


def test_j12_nothing_of_ours_runs_when_python_starts() -> None:
    folders = ("sdk", "layers", "localstack", "batch_jobs", "functions")
    assert not [
        path for folder in folders for path in (REPOSITORY / folder).rglob("*.pth") if "node_modules" not in path.parts
    ]
