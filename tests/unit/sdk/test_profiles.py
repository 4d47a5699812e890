"""Profiles: precedence, privacy, and that one profile does not disturb another."""

from pathlib import Path

import pytest

from aimass.errors import ConfigurationError
from aimass.profiles import Profile, resolve_profile, save_profile


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMASS_CONFIG_FILE", str(tmp_path / "folder" / "config.toml"))
    for name in ("AIMASS_BASE_URL", "AIMASS_API_KEY", "AIMASS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_file_the_local_cloud_is_asked() -> None:
    assert resolve_profile() == Profile(base_url="http://127.0.0.1:4566", api_key=None)


def test_argument_beats_environment_beats_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    save_profile("prod", Profile(base_url="https://profile", api_key="from-profile"), make_default=True)
    assert resolve_profile().api_key == "from-profile"
    monkeypatch.setenv("AIMASS_API_KEY", "from-environment")
    assert resolve_profile() == Profile(base_url="https://profile", api_key="from-environment")
    assert resolve_profile(api_key="argument").api_key == "argument"


def test_saved_file_is_private_and_keeps_other_profiles() -> None:
    save_profile("local", Profile(base_url="http://127.0.0.1:4566", api_key="one"), make_default=False)
    path = save_profile("prod", Profile(base_url="https://prod", api_key="two"), make_default=False)
    assert path.stat().st_mode & 0o077 == 0
    assert resolve_profile(profile="local").api_key == "one"
    assert resolve_profile(profile="prod").api_key == "two"


def test_unknown_profile_names_those_that_exist() -> None:
    save_profile("prod", Profile(base_url="https://prod"), make_default=True)
    with pytest.raises(ConfigurationError, match="known: prod"):
        resolve_profile(profile="pord")


def test_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "config.toml"
    path.parent.mkdir()
    path.write_text("not = [toml")
    with pytest.raises(ConfigurationError, match=r"config\.toml is not valid TOML"):
        resolve_profile()
