"""The checks of `aimass local doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from aimass_local import doctor
from aimass_local.doctor import Check
from aimass_local.environment import DataDirectory


@pytest.fixture
def _loopback(socket_enabled: None) -> None:
    """The port check binds the port."""


def _check(folder: Path, name: str, *, now: float = 1_800_000_000.0) -> Check:
    checks = doctor.diagnose(DataDirectory.at(folder), port=0, now=lambda: now)
    return next(check for check in checks if check.name == name)


pytestmark = pytest.mark.usefixtures("_loopback")


@pytest.mark.parametrize(
    "name", ["platform", "python", "ministack", "hypercorn", "botocore", "port", "clock", "processes"]
)
def test_this_machine_is_well(tmp_path: Path, name: str) -> None:
    assert _check(tmp_path, name).is_well


def test_a_clock_of_the_past_is_found(tmp_path: Path) -> None:
    check = _check(tmp_path, "clock", now=0.0)
    assert not check.is_well
    assert "1970" in check.found


def test_a_data_directory_that_is_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not _check(tmp_path / "file", "data directory").is_well


def test_wrong_version_of_a_pinned_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(doctor._PINNED_PACKAGES, "ministack", "0.0.1")
    check = _check(tmp_path, "ministack")
    assert not check.is_well
    assert check.fix == "pip install ministack==0.0.1"
