"""FAULTS J12: what is installed is what was resolved."""

import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==[^\s;]+( ; .+)?")
LOCKED = sorted(path.name for path in (REPOSITORY / "requirements").glob("*.txt"))


@pytest.mark.parametrize("name", LOCKED)
def test_j12_every_package_has_one_version(name: str) -> None:
    lines = (REPOSITORY / "requirements" / name).read_text("utf-8").splitlines()
    loose = [line for line in lines if line and not line.startswith("#") and not PINNED.fullmatch(line)]
    assert lines
    assert not loose


def test_j12_packages_of_the_console_are_known_by_their_content() -> None:
    folder = REPOSITORY / "functions" / "console" / "ui"
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)


def test_j12_images_are_known_by_their_content() -> None:
    lines = (REPOSITORY / "batch_jobs" / "images" / "Dockerfile").read_text("utf-8").splitlines()
    bases = [line for line in lines if line.startswith("FROM ")]
    assert bases
    assert all(re.search(r"@sha256:[0-9a-f]{64}", base) for base in bases)


def test_j12_nothing_of_ours_runs_when_python_starts() -> None:
    folders = ("sdk", "layers", "localstack", "batch_jobs", "functions")
    assert not [
        path for folder in folders for path in (REPOSITORY / folder).rglob("*.pth") if "node_modules" not in path.parts
    ]
