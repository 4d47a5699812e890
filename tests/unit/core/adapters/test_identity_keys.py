"""The provider's keys are kept, and asked for again where one is not among them, but at most once a minute."""

from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.identity_keys import MAX_AGE_SECONDS, MIN_AGE_SECONDS, CachedKeys


class _Provider:
    def __init__(self) -> None:
        self.now, self.num_fetches = 0.0, 0
        self.ids = ["first"]

    def fetch(self) -> Mapping[str, Any]:
        self.num_fetches += 1
        signing = [{"kid": each, "kty": "RSA", "use": "sig"} for each in self.ids]
        return {"keys": [*signing, {"kid": "other", "kty": "oct", "k": "AAAA"}, {"kty": "RSA", "use": "sig"}]}


def test_keys_are_kept_for_an_hour() -> None:
    provider = _Provider()
    keys = CachedKeys(provider.fetch, clock=lambda: provider.now)
    assert set(keys.get(fresh=False)) == set(keys.get(fresh=False)) == {"first"}
    provider.now = MAX_AGE_SECONDS - 1
    keys.get(fresh=False)
    assert provider.num_fetches == 1
    provider.now = MAX_AGE_SECONDS
    keys.get(fresh=False)
    assert provider.num_fetches == 2


def test_a_new_key_is_found_within_a_minute_and_h4_no_flood_gets_through() -> None:
    provider = _Provider()
    keys = CachedKeys(provider.fetch, clock=lambda: provider.now)
    keys.get(fresh=False)
    provider.ids.append("second")
    for second in range(int(MIN_AGE_SECONDS)):
        provider.now = second
        assert "second" not in keys.get(fresh=True)
    provider.now = MIN_AGE_SECONDS
    assert "second" in keys.get(fresh=True)
    assert provider.num_fetches == 2
