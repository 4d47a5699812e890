"""The SDK's profile of the local cloud."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from aimass_local import first_run
from aimass_local.first_run import FirstRunError


def _write_profile(path: Path) -> None:
    first_run.write_profile(path, port=4566, api_key="key", drop_bucket="landing")


def test_profile_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    _write_profile(path)
    assert tomllib.loads(path.read_text()) == {
        "default_profile": "local",
        "profiles": {"local": {"base_url": "http://127.0.0.1:4566", "api_key": "key", "drop_bucket": "landing"}},
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_other_profiles_and_the_users_default_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('default_profile = "work"\n[profiles.work]\napi_key = "w"\n[profiles.local]\napi_key = "old"\n')
    _write_profile(path)
    config = tomllib.loads(path.read_text())
    assert config["default_profile"] == "work"
    assert config["profiles"]["work"] == {"api_key": "w"}
    assert config["profiles"]["local"]["api_key"] == "key"


def test_file_that_is_not_toml_is_kept_and_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("= broken")
    with pytest.raises(FirstRunError, match=r"config\.toml is not TOML"):
        _write_profile(path)
    assert path.read_text() == "= broken"


def test_environment_moves_the_file(tmp_path: Path) -> None:
    assert first_run.config_path({"AIMASS_CONFIG_FILE": str(tmp_path / "x.toml")}) == tmp_path / "x.toml"
    assert first_run.config_path({}) == Path.home() / ".config" / "aimass" / "config.toml"
