"""What is a secret: taken out of texts by its form, and out of values by the name of its field."""

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
# NOTE: what repeats before a fixed part is bounded, as it is tried again from each of its characters: texts come from
# anybody, and the time they take has to grow with their length alone.
_IN_TEXT = (
    # API keys, sessions, refresh tokens, codes and invitations (`tokens.TokenKind`); then JWTs.
    (re.compile(r"(ai[a-z]_[0-9a-f]{27}_[0-9a-f]{27}_)[A-Za-z0-9_-]{43}"), rf"\1{REDACTED}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), REDACTED),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]{8,}"), f"whsec_{REDACTED}"),
    (re.compile(r"(?i)(x-amz-(?:signature|security-token|credential)=)[^&\"\s\\]+"), rf"\1{REDACTED}"),
    (
        re.compile(r"(?i)((?:authorization|x-api-key)[\\\"']*\s*[:=]\s*[\\\"']*)(?:bearer\s+)?[^\s\\\"',}]+"),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)(\\{0,8}\"(?:\w{0,64}_)?(?:secret|password|token)\\*\"\s*:\s*\\*\")[^\"\\]+"), rf"\1{REDACTED}"),
    (re.compile(r"(?i)(\w{1,32}://[^/\s:@\"\\]*:)[^/\s@\"\\]+@"), rf"\1{REDACTED}@"),
)
_SECRET_NAME = re.compile(
    r"(?i)(^|[_-])(secret|password|passphrase|token|invitation|refresh|credentials?|private_key|api_key|authorization|signature|cookie)"
    r"([_-](sha256|hash|value))?$"
)


def redact(text: str) -> str:
    """The text without API keys, bearer tokens, passwords in addresses and signatures of presigned URLs."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret. (`secrets`, which lists the names of some, does not.)"""
    return _SECRET_NAME.search(name) is not None


def redact_value(value: Any) -> Any:
    """JSON without secrets, at any depth."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        # A variable of an environment, as AWS writes it.
        if value.keys() == {"name", "value"} and is_secret_name(str(value["name"])):
            return {**value, "value": REDACTED}
        return {
            name: REDACTED if is_secret_name(str(name)) and item is not None else redact_value(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    return value
