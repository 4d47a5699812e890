"""The SDK's profile `local`: how the SDK and the command line find the local cloud and its key."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from aimass_local.environment import endpoint_url
from aimass_local.state import write_atomically

NAME = "local"


class ProfileError(Exception):
    """The SDK's configuration file cannot be read or written."""


def resolve_path(environment: Mapping[str, str]) -> Path:
    """The SDK's configuration file."""
    if environment.get("AIMASS_CONFIG_FILE"):
        return Path(environment["AIMASS_CONFIG_FILE"]).expanduser()
    folder = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "aimass" / "config.toml"


def digest_of(api_key: str) -> str:
    """What tells later whether the profile still holds this key, without keeping the key anywhere else."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def require_readable(path: Path) -> None:
    """Raises:
    ProfileError: the file exists and is not TOML.
    """
    _read(path)


def write(path: Path, *, port: int, api_key: str, drop_bucket: str) -> None:
    """Writes the profile, and keeps the user's other profiles and settings.

    Raises:
        ProfileError: the file cannot be read or written.
    """
    config = _read(path)
    profile = {"base_url": endpoint_url(port), "api_key": api_key, "drop_bucket": drop_bucket}
    config.setdefault("profiles", {})[NAME] = profile
    config.setdefault("default_profile", NAME)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, tomli_w.dumps(config).encode(), mode=0o600)
    except OSError as error:
        raise ProfileError(f"{path} cannot be written ({error.strerror}): set AIMASS_CONFIG_FILE to another") from error


def refresh(path: Path, *, port: int, key_digest: str, drop_bucket: str) -> bool:
    """Brings the address up to date in the profile that holds the key; another key belongs to another local cloud.

    Returns whether it holds the key.

    Raises:
        ProfileError: the file cannot be read or written.
    """
    profile = _read(path).get("profiles", {}).get(NAME, {})
    api_key = profile.get("api_key", "")
    if digest_of(api_key) != key_digest:
        return False
    if profile.get("base_url") != endpoint_url(port):
        write(path, port=port, api_key=api_key, drop_bucket=drop_bucket)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise ProfileError(f"{path} cannot be read ({error}): mend it, or set AIMASS_CONFIG_FILE to another") from error
