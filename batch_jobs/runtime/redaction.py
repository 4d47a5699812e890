"""Takes secrets out of texts that leave the container."""

import re
from collections.abc import Mapping

_NAMES = re.compile(r"SECRET|TOKEN|PASSWORD|CREDENTIAL|API_KEY", re.IGNORECASE)
_MIN_LENGTH = 8
_PATTERNS = (
    re.compile(r"(aim_[0-9a-f]{27}_[0-9a-f]{27}_)[A-Za-z0-9_-]{43}"),
    re.compile(r"(?i)(x-amz-(?:signature|security-token|credential)=)[^&\"'\s\\]+"),
    re.compile(r"(?i)(\b(?:bearer|authorization:)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(://[^/\s:@]+:)[^/\s:@]+(?=@)"),
)


def redact(text: str, variables: Mapping[str, str]) -> str:
    """The text without API keys, signatures, passwords in URLs, and the values of variables that hold secrets."""
    for name, value in variables.items():
        if _NAMES.search(name) and len(value) >= _MIN_LENGTH:
            text = text.replace(value, "[redacted]")
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1[redacted]", text)
    return text
