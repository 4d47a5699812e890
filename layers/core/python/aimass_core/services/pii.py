"""Values that name a person: hidden before anything of a record is written, also before it goes to quarantine."""

import hashlib
import hmac
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from stdnum import iban, luhn

from aimass_core.domain.sources import PiiAction, PiiPolicy
from aimass_core.errors import InvalidRequestError

KEY_NAME = "PII_KEY"
_HASH_DIGITS = 32
_LETTERS, _DIGITS = re.compile(r"[^\W\d_]"), re.compile(r"\d")
# What looks like an e-mail address, an IBAN, a number of a card or a telephone, a US social security number, an address
# of the internet. Each is looked at closer, where that can tell.
_SUSPECT = re.compile(
    r"(?P<email>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5})"
    r"|(?P<iban>\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?P<ssn>\b\d{3}-\d{2}-\d{4}\b)"
    r"|(?P<card>\b\d(?:[ -]?\d){12,18}\b)"
    r"|(?P<phone>\+\d(?:[ ().-]{0,2}\d){6,14}\b)"
)


class PiiFilter:
    """One policy, applied to flat records."""

    def __init__(self, policy: PiiPolicy, key: Callable[[], str]) -> None:
        self._columns: Mapping[str, PiiAction] = policy.columns
        self._detected = policy.detected
        self._read_key, self._key = key, b""
        self.num_detected: dict[str, int] = {}
        self.is_idle = not self._columns and self._detected is None
        if PiiAction.HASH in {*self._columns.values(), self._detected}:
            self._key = self._load_key()

    def apply(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record with what names a person hidden."""
        if self.is_idle:
            return record
        hidden: dict[str, Any] = {}
        for name, value in record.items():
            action = self._columns.get(name)
            if action is not None:
                if action is not PiiAction.DROP:
                    hidden[name] = None if value is None else self._hide(_to_text(value), action)
            elif self._detected is not None and isinstance(value, str | list):
                hidden[name] = self._search(name, value, self._detected)
            else:
                hidden[name] = value
        return hidden

    def _search(self, name: str, value: Any, action: PiiAction) -> Any:
        if isinstance(value, list):
            return [self._search(name, each, action) for each in value]
        if isinstance(value, dict):
            return {key: self._search(name, each, action) for key, each in value.items()}
        if not isinstance(value, str):
            return value

        def replace(match: re.Match[str]) -> str:
            if not _is_pii(str(match.lastgroup), match[0]):
                return match[0]
            self.num_detected[name] = self.num_detected.get(name, 0) + 1
            return f"[{match.lastgroup}]" if action is PiiAction.DROP else self._hide(match[0], action)

        return _SUSPECT.sub(replace, value)

    def _hide(self, text: str, action: PiiAction) -> str:
        if action is PiiAction.HASH:
            return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_HASH_DIGITS]
        return _DIGITS.sub("0", _LETTERS.sub("x", text))

    def _load_key(self) -> bytes:
        key = self._read_key()
        if len(key) < 16:
            raise InvalidRequestError(
                f"The secret {KEY_NAME}, which keys the hashes of what names a person, has {len(key)} characters; it "
                "needs 16 or more. Set another: the hashes of the rows to come are then others, too."
            )
        return key.encode()


def _is_pii(kind: str, text: str) -> bool:
    if kind == "iban":
        return bool(iban.is_valid(text))
    if kind == "card":
        return bool(luhn.is_valid(re.sub(r"\D", "", text)))
    if kind == "ip":
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
    return True


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
