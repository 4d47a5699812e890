"""Profiles: named servers with their keys, in ~/.config/aimass/config.toml (readable by its owner only)."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from aimass.errors import ConfigurationError

DEFAULT_BASE_URL = "http://127.0.0.1:4566"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Whom to ask, and as whom."""

    base_url: str
    api_key: str | None = None


def config_path() -> Path:
    """AIMASS_CONFIG_FILE, or config.toml in the user's configuration folder."""
    if path := os.environ.get("AIMASS_CONFIG_FILE"):
        return Path(path)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "aimass" / "config.toml"


def resolve_profile(*, profile: str | None = None, base_url: str | None = None, api_key: str | None = None) -> Profile:
    """Argument > environment (AIMASS_BASE_URL, AIMASS_API_KEY, AIMASS_PROFILE) > profile > default.

    Raises ConfigurationError where a profile is asked for that does not exist.
    """
    stored = load_profile(profile or os.environ.get("AIMASS_PROFILE"))
    return Profile(
        base_url=base_url or os.environ.get("AIMASS_BASE_URL") or stored.base_url,
        api_key=api_key or os.environ.get("AIMASS_API_KEY") or stored.api_key,
    )


def load_profile(name: str | None) -> Profile:
    """The named profile, or the default one."""
    config = _load()
    profiles = config.get("profiles", {})
    chosen = name or config.get("default_profile")
    if chosen is None:
        return Profile(base_url=DEFAULT_BASE_URL)
    if chosen not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(
            f"There is no profile {chosen!r} in {config_path()} (known: {known}). Make it with: aimass configure"
        )
    values = profiles[chosen]
    return Profile(base_url=values.get("base_url", DEFAULT_BASE_URL), api_key=values.get("api_key"))


def save_profile(name: str, profile: Profile, *, make_default: bool) -> Path:
    """Adds or replaces one profile; the others stay. Returns the file's path."""
    path, config = config_path(), _load()
    values = {"base_url": profile.base_url} | ({"api_key": profile.api_key} if profile.api_key else {})
    config.setdefault("profiles", {})[name] = config.get("profiles", {}).get(name, {}) | values
    if make_default or "default_profile" not in config:
        config["default_profile"] = name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(tomli_w.dumps(config))
    partial.replace(path)
    return path


def _load() -> dict[str, Any]:
    path = config_path()
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}. Correct it, or delete it.") from error
