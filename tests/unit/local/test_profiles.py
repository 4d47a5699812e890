"""The SDK's profile of the local cloud."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from aimass_local import profiles
from aimass_local.profiles import ProfileError


def _write_profile(path: Path) -> None:
    profiles.write(path, port=4566, api_key="key", drop_bucket="landing")


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
    with pytest.raises(ProfileError, match=r"config\.toml cannot be read"):
        _write_profile(path)
    assert path.read_text() == "= broken"


def test_environment_moves_the_file(tmp_path: Path) -> None:
    assert profiles.resolve_path({"AIMASS_CONFIG_FILE": str(tmp_path / "x.toml")}) == tmp_path / "x.toml"
    assert profiles.resolve_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/aimass/config.toml")
    assert profiles.resolve_path({}) == Path.home() / ".config" / "aimass" / "config.toml"


def test_address_follows_the_port_for_the_own_key_only(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    _write_profile(path)
    assert profiles.refresh(path, port=5000, key_digest=profiles.digest_of("key"), drop_bucket="landing")
    assert tomllib.loads(path.read_text())["profiles"]["local"]["base_url"] == "http://127.0.0.1:5000"
    assert not profiles.refresh(
        path, port=6000, key_digest=profiles.digest_of("another cloud's key"), drop_bucket="landing"
    )
    assert tomllib.loads(path.read_text())["profiles"]["local"]["base_url"] == "http://127.0.0.1:5000"


def test_j13_read_only_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="AIMASS_CONFIG_FILE"):
        _write_profile(tmp_path / "file" / "config.toml")
