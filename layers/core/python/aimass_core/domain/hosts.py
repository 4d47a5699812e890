"""Names of hosts: SageMaker endpoints that lead back to ours."""

import base64
import re
from dataclasses import dataclass

HOST_PREFIX = "aimass-"
_NAME = re.compile(rf"{HOST_PREFIX}([a-z2-7]{{23}})-([a-z2-7]{{23}})-[0-9a-f]{{7}}")
_SUFFIX = 7


@dataclass(frozen=True, slots=True)
class HostOwner:
    """The endpoint that a host answers for."""

    workspace_id: str
    endpoint_id: str


def to_host_name(workspace_id: str, endpoint_id: str, nonce: str) -> str:
    """A name of at most 63 letters, digits and hyphens. Each deployment gets a host of its own by its nonce, an id."""
    return f"{HOST_PREFIX}{_shorten(workspace_id)}-{_shorten(endpoint_id)}-{nonce[-_SUFFIX:]}"


def to_host_owner(name: str) -> HostOwner | None:
    """The reverse. None for what is somebody else's."""
    found = _NAME.fullmatch(name)
    return HostOwner(f"ws_{_lengthen(found[1])}", f"ep_{_lengthen(found[2])}") if found else None


def _shorten(resource_id: str) -> str:
    """The 27 hex digits of an id as 23 letters and digits."""
    digits = bytes.fromhex(f"0{resource_id.partition('_')[2]}")
    return base64.b32encode(digits).decode().rstrip("=").lower()


def _lengthen(text: str) -> str:
    return base64.b32decode(f"{text.upper()}=").hex()[1:]
