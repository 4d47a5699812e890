"""Tokens of the identity provider: what is not exactly one of them is refused, and nothing is fetched for it."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aimass_core.adapters.memory_identity import MemoryIdentity, signing_key
from aimass_core.errors import UnauthenticatedError
from aimass_core.services import identity_tokens


@pytest.fixture
def identity() -> MemoryIdentity:
    return MemoryIdentity()


def _signed(identity: MemoryIdentity, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that differs from a right one in these; None leaves one out."""
    given = {**identity.claims("ada"), **claims}
    kept = {name: value for name, value in given.items() if value is not None}
    header = {"kid": "memory", "typ": None, **(headers or {})}
    return jwt.encode(kept, signing_key(), algorithm="RS256", headers=header)


def _raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    return ".".join([encode(json.dumps(header).encode()), encode(json.dumps(claims).encode()), encode(signature)])


def test_a_right_token_says_whose_it_is_and_of_which_sign_in(identity: MemoryIdentity) -> None:
    claims = identity_tokens.verify(identity, identity.sign(identity.claims("ada", "morning")))
    assert (claims.subject, claims.session_id) == ("ada", "morning")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_other"},
        {"iss": "https://evil.example"},
        {"client_id": "another-client"},
        {"client_id": None},
        {"aud": "memory-client"},
        {"aud": ["anything"]},
        {"token_use": "id"},
        {"token_use": "refresh"},
        {"token_use": None},
        {"sub": None},
        {"origin_jti": None},
        {"exp": None},
        {"exp": 1_700_000_000},
        {"exp": "tomorrow"},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_h4_wrong_claims_are_refused(identity: MemoryIdentity, claims: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError):
        identity_tokens.verify(identity, _signed(identity, **claims))


@pytest.mark.parametrize(
    "headers",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/certificate"},
        {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        {"x5c": ["MIIB"]},
        {"crit": ["b64"], "b64": False},
        {"kid": "../../../etc/passwd"},
        {"kid": "memory\x00"},
        {"kid": "k" * 4_000},
        {"kid": None},
        {"kid": ["memory"]},
        {"kid": 7},
    ],
    ids=lambda headers: str(headers)[:40],
)
def test_h4_headers_that_lead_elsewhere_are_refused(identity: MemoryIdentity, headers: dict[str, Any]) -> None:
    right = jwt.decode(_signed(identity), options={"verify_signature": False})
    header = {"alg": "RS256", "kid": "memory", **headers}
    signing_input = _raw(header, right, b"").rpartition(".")[0]
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        signing_input.encode(), signing_key()
    )
    with pytest.raises(UnauthenticatedError):
        identity_tokens.verify(identity, _raw(header, right, signature))


def test_h4_unsigned_and_swapped_algorithms_are_refused(identity: MemoryIdentity) -> None:
    """`none`, HS256 with the public key as the secret, another RSA algorithm, and another's key."""
    claims = identity.claims("ada")
    public = signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    swapped = {"alg": "HS256", "kid": "memory"}
    signing_input = _raw(swapped, claims, b"").rpartition(".")[0]
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = [
        _raw({"alg": "none", "kid": "memory"}, claims, b""),
        _raw({"alg": "NONE"}, claims, b""),
        _raw({"alg": "RS256", "kid": "memory"}, claims, b""),
        _raw(swapped, claims, hmac.new(public, signing_input.encode(), hashlib.sha256).digest()),
        jwt.encode(claims, signing_key(), algorithm="PS256", headers={"kid": "memory"}),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": "memory"}),
    ]
    for token in forged:
        with pytest.raises(UnauthenticatedError):
            identity_tokens.verify(identity, token)


def test_h4_one_changed_letter_is_refused(identity: MemoryIdentity) -> None:
    header, body, signature = identity.sign(identity.claims("ada")).split(".")
    other = "B" if body[20] == "A" else "A"
    for token in (
        f"{header}.{body[:20]}{other}{body[21:]}.{signature}",
        f"{header}.{body}.{signature[:-8]}",
        "..",
        "a.b.c",
    ):
        with pytest.raises(UnauthenticatedError):
            identity_tokens.verify(identity, token)


def test_h4_flood_of_unknown_keys_fetches_once(identity: MemoryIdentity) -> None:
    for number in range(500):
        with pytest.raises(UnauthenticatedError):
            identity_tokens.verify(identity, _signed(identity, headers={"kid": f"unknown-{number}"}))
    identity_tokens.verify(identity, identity.sign(identity.claims("ada")))
    assert identity.num_fetches == 1
