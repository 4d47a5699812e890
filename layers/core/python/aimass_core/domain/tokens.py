"""Bearer tokens of ours: each names its kind, its workspace and its record, so that checking one is one read."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

_TOKEN = re.compile(r"([a-z]{3})_([0-9a-f]{27})_([0-9a-f]{27})_([A-Za-z0-9_-]{43})")


class TokenKind(StrEnum):
    """What a token begins with, and so what it is good for."""

    API_KEY = "aim"
    SESSION = "ais"
    REFRESH = "air"
    CODE = "aic"
    INVITATION = "aii"


_PREFIXES = {
    TokenKind.API_KEY: "key",
    TokenKind.SESSION: "ses",
    TokenKind.REFRESH: "ses",
    TokenKind.CODE: "cod",
    TokenKind.INVITATION: "usr",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedToken:
    """A token taken apart; `record_id` is the id of what it belongs to."""

    workspace_id: str
    record_id: str
    secret: str


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def format_token(kind: TokenKind, *, workspace_id: str, record_id: str, secret: str) -> str:
    """The token as its holder keeps it."""
    return f"{kind}_{workspace_id.partition('_')[2]}_{record_id.partition('_')[2]}_{secret}"


def parse_token(kind: TokenKind, token: str) -> ParsedToken | None:
    """The token's parts, or None where it does not have the form of one of this kind."""
    match = _TOKEN.fullmatch(token)
    if match is None or match[1] != kind:
        return None
    return ParsedToken(workspace_id=f"ws_{match[2]}", record_id=f"{_PREFIXES[kind]}_{match[3]}", secret=match[4])


def hash_secret(secret: str) -> str:
    """SHA-256, hex. A secret has 256 random bits, so a slow hash adds nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, *, secret_sha256: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(hash_secret(secret), secret_sha256)
