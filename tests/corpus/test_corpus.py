"""Hundreds of hostile files at the front doors: each is refused with a reason, or contained in little memory."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import figures, front_doors

ROOT = Path(__file__).parents[2]
MAX_MEAN_SECONDS = 1.0


def bring(family: str) -> list[dict[str, Any]]:
    """In a process of its own, which a file might end."""
    command = [sys.executable, "-m", "tests.corpus.front_doors", family]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    assert done.returncode == 0, f"{told[-1]} ended the process: {done.stderr[-2_000:]}"
    return [each for each in told if "name" in each]


@pytest.fixture(scope="module")
def families() -> Iterator[dict[str, list[dict[str, Any]]]]:
    """What has become of each family's files; printed as the table of docs/RELIABILITY.md."""
    found: dict[str, list[dict[str, Any]]] = {}
    yield found
    print("\n" + "\n".join(figures.to_table(found)))


@pytest.mark.parametrize("family", front_doors.DOORS)
def test_a11_hostile_files_are_refused_or_contained(family: str, families: dict[str, list[Mapping[str, Any]]]) -> None:
    files = families[family] = bring(family)
    for file in files:
        assert file["reason"] is None or file["reason"].strip(), f"{file['name']} is refused without a reason"
        if file["is_refused"] is not None:
            assert (file["reason"] is not None) == file["is_refused"], file
    assert max(file["peak_bytes"] for file in files) < front_doors.MAX_RESIDENT_BYTES
    assert sum(file["seconds"] for file in files) < MAX_MEAN_SECONDS * len(files)


def test_a11_there_are_at_least_200_hostile_files() -> None:
    names = [sample.name for family, _ in front_doors.DOORS.values() for sample in family()]
    assert len(names) >= 200
    assert len(set(names)) == len(names)
