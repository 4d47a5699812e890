"""Accounts in memory, with real keys and real tokens, so that what verifies them is tested as it is."""

import base64
import hmac
import json
import secrets
import struct
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aimass_core.adapters.identity_keys import CachedKeys, Keys
from aimass_core.errors import (
    InvalidRequestError,
    NewPasswordRequiredError,
    SecondFactorRequiredError,
    UnauthenticatedError,
)
from aimass_core.ports import AccountExistsError, IdentityTokens

ACCESS_SECONDS = 900
_MIN_PASSWORD_CHARACTERS = 12


@dataclass
class Account:
    """One person's."""

    subject: str
    email: str
    password: str
    is_temporary: bool = False
    pending_secret: str | None = None
    secret: str | None = None


class MemoryIdentity:
    """Satisfies `Identity`."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.num_fetches = 0
        self._sessions: dict[str, tuple[str, str]] = {}
        self._keys = CachedKeys(self._fetch)

    @property
    def issuer(self) -> str:
        """See Identity."""
        return "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_memory"

    @property
    def client_id(self) -> str:
        """See Identity."""
        return "memory-client"

    def keys(self, *, fresh: bool = False) -> Keys:
        """See Identity."""
        return self._keys.get(fresh=fresh)

    def create(self, email: str, password: str) -> str:
        """See Identity."""
        if self.find(email) is not None:
            raise AccountExistsError
        subject = str(uuid.uuid4())
        self.accounts[subject] = Account(subject, email, password="", is_temporary=True)
        self.set_password(subject, password)
        return subject

    def find(self, email: str) -> str | None:
        """See Identity."""
        return next((each.subject for each in self.accounts.values() if each.email == email), None)

    def set_password(self, subject: str, password: str) -> None:
        """See Identity."""
        if len(password) < _MIN_PASSWORD_CHARACTERS:
            raise InvalidRequestError(f"The password is too simple: at least {_MIN_PASSWORD_CHARACTERS} characters.")
        account = self.accounts[subject]
        account.password, account.is_temporary = password, False

    def delete(self, subject: str) -> None:
        """See Identity."""
        self.accounts.pop(subject, None)

    def sign_in(
        self, email: str, password: str, *, new_password: str | None = None, second_factor: str | None = None
    ) -> IdentityTokens:
        """See Identity."""
        account = self.accounts.get(self.find(email) or "")
        if account is None or account.password != password:
            raise UnauthenticatedError("The e-mail address or the password is not right.")
        if account.is_temporary:
            if new_password is None:
                raise NewPasswordRequiredError("This password holds for one sign-in. Send `new_password` beside it.")
            self.set_password(account.subject, new_password)
        if account.secret is not None:
            if second_factor is None:
                raise SecondFactorRequiredError("The account has a second factor. Send `second_factor` beside it.")
            if not _is_code(account.secret, second_factor):
                raise UnauthenticatedError("The code of the second factor is not right.")
        session, token = str(uuid.uuid4()), str(uuid.uuid4())
        self._sessions[token] = (account.subject, session)
        return self._tokens(account.subject, session, token)

    def begin_second_factor(self, access_token: str) -> str:
        """See Identity."""
        account = self._account_of(access_token)
        account.pending_secret = base64.b32encode(secrets.token_bytes(20)).decode()
        return account.pending_secret

    def confirm_second_factor(self, subject: str, access_token: str, code: str) -> None:
        """See Identity."""
        account = self._account_of(access_token)
        assert account.subject == subject  # noqa: S101 - whoever asks is who has signed in
        if account.pending_secret is None or not _is_code(account.pending_secret, code):
            raise InvalidRequestError("The code of the second factor is not right.")
        account.secret, account.pending_secret = account.pending_secret, None

    def end_second_factor(self, subject: str) -> None:
        """See Identity."""
        self.accounts[subject].secret = None

    def _account_of(self, access_token: str) -> Account:
        import jwt

        claims = jwt.decode(access_token, options={"verify_signature": False})
        return self.accounts[claims["sub"]]

    def refresh(self, refresh_token: str) -> IdentityTokens:
        """See Identity."""
        subject, session = self._sessions.get(refresh_token, ("", ""))
        if subject not in self.accounts:
            raise UnauthenticatedError("The e-mail address or the password is not right.")
        return self._tokens(subject, session, refresh_token)

    def claims(self, subject: str, session: str = "session") -> dict[str, Any]:
        """What a token of that account says now."""
        # NOTE: the real time, by which the library that reads a token judges it.
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": subject,
            "client_id": self.client_id,
            "token_use": "access",
            "origin_jti": session,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims, as the provider signs it."""
        import jwt

        return jwt.encode(dict(claims), signing_key(), algorithm="RS256", headers={"kid": "memory", "typ": None})

    def _tokens(self, subject: str, session: str, refresh_token: str) -> IdentityTokens:
        return IdentityTokens(
            access_token=self.sign(self.claims(subject, session)),
            refresh_token=refresh_token,
            expires_in=ACCESS_SECONDS,
        )

    def _fetch(self) -> Mapping[str, Any]:
        import jwt

        self.num_fetches += 1
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key()))
        return {"keys": [{**key, "kid": "memory", "use": "sig", "alg": "RS256"}]}


def totp(secret: str, *, at: float | None = None) -> str:
    """The code of a moment, as authenticators make it (RFC 6238)."""
    step = int(time.time() if at is None else at) // 30
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


def _is_code(secret: str, code: str) -> bool:
    return any(hmac.compare_digest(totp(secret, at=time.time() + drift), code) for drift in (-30, 0, 30))


@cache
def signing_key() -> Any:
    """The private key of every provider in memory: making one takes a while."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
