"""The public keys of an identity provider, kept in the process so that requests do not wait for them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

Keys = Mapping[str, Mapping[str, Any]]

MAX_AGE_SECONDS = 3_600.0
MIN_AGE_SECONDS = 60.0


class CachedKeys:
    """Keys by their id, as a key set (JWKS, RFC 7517) lists them.

    Args:
        fetch: asks the provider for the set.
        clock: seconds that only grow.
    """

    def __init__(self, fetch: Callable[[], Mapping[str, Any]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: Keys = {}
        self._fetched_at: float | None = None

    def get(self, *, fresh: bool) -> Keys:
        """NOTE: a flood of tokens with made-up key ids asks for `fresh` again and again, and fetches once a minute."""
        max_age = MIN_AGE_SECONDS if fresh else MAX_AGE_SECONDS
        now = self._clock()
        if self._fetched_at is None or now - self._fetched_at >= max_age:
            self._keys = {str(key["kid"]): key for key in self._fetch()["keys"] if _signs(key)}
            self._fetched_at = now
        return self._keys


def _signs(key: Mapping[str, Any]) -> bool:
    return key.get("kty") == "RSA" and key.get("use") == "sig" and bool(key.get("kid"))
