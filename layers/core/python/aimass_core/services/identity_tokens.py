"""Access tokens of the identity provider: JWTs, of which nothing is believed before the signature is (RFC 8725)."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass_core.errors import UnauthenticatedError
from aimass_core.ports import Identity, IdentityTokens

_ALGORITHM = "RS256"
# NOTE: a token that names its own key, or where to fetch one (jwk, jku, x5u, x5c), or extensions (crit), is refused.
_HEADER = frozenset({"alg", "kid", "typ"})
_CLAIMS = ("exp", "iat", "iss", "sub", "token_use", "client_id", "origin_jti")
_MAX_KEY_ID_CHARACTERS = 128
_CLOCKS_DIFFER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says, once it is believed: whose it is, and of which sign-in."""

    subject: str
    session_id: str


def verify(identity: Identity, token: str) -> Claims:
    """Raises UnauthenticatedError for whatever is not an access token of this provider, meant for us, at this time.

    No network is asked for what a token says: only for the provider's own keys, at most once a minute.
    """
    # NOTE: in the authorizer's layer alone; it costs a cold start time that requests with API keys do not pay.
    import jwt

    try:
        key = _key_of(identity, jwt.get_unverified_header(token))
        claims = jwt.decode(
            token,
            jwt.PyJWK.from_dict(dict(key), algorithm=_ALGORITHM),
            algorithms=[_ALGORITHM],
            issuer=identity.issuer,
            options={"require": list(_CLAIMS)},
            leeway=_CLOCKS_DIFFER_SECONDS,
        )
    except jwt.PyJWTError as error:
        raise UnauthenticatedError(f"The token is refused: {type(error).__name__}.") from error
    if claims["token_use"] != "access" or claims["client_id"] != identity.client_id:  # noqa: S105
        raise UnauthenticatedError("The token is refused: it is none that gives access to this.")
    return Claims(subject=str(claims["sub"]), session_id=str(claims["origin_jti"]))


def claims_of(given: IdentityTokens) -> Claims:
    """What the provider has just told us itself: that it did is what its signature would say too (OpenID Connect Core,
    3.1.3.7)."""
    body = given.access_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return Claims(subject=str(claims["sub"]), session_id=str(claims["origin_jti"]))


def _key_of(identity: Identity, header: Mapping[str, Any]) -> Mapping[str, Any]:
    key_id = header.get("kid")
    if header.keys() - _HEADER or header.get("alg") != _ALGORITHM:
        raise UnauthenticatedError("The token is refused: its header is not one that the provider writes.")
    if not isinstance(key_id, str) or len(key_id) > _MAX_KEY_ID_CHARACTERS:
        raise UnauthenticatedError("The token is refused: it names no key.")
    key = identity.keys().get(key_id) or identity.keys(fresh=True).get(key_id)
    if key is None:
        raise UnauthenticatedError("The token is refused: its key is not the provider's.")
    return key
