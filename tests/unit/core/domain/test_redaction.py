"""What is a secret, and what only looks like one."""

import pytest

from aimass_core.domain.redaction import is_secret_name, redact, redact_value

KEY = f"aim_{'0' * 27}_{'1' * 27}_"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{KEY}{'k' * 43}", f"{KEY}[redacted]"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_[redacted]"),
        ("Authorization: Bearer abcdefgh", "Authorization: [redacted]"),
        ("https://b/k?X-Amz-Signature=abc&x=1", "https://b/k?X-Amz-Signature=[redacted]&x=1"),
        ('{"password": "abc"}', '{"password": "[redacted]"}'),
        ('{"db_password":"abc"}', '{"db_password":"[redacted]"}'),
        (r"{\"token\": \"abc\"}", r"{\"token\": \"[redacted]\"}"),
        ("postgres://user:abc@host:5432/db", "postgres://user:[redacted]@host:5432/db"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("mail to a@b.example at 10:30", "mail to a@b.example at 10:30"),
        ("the token of the tokenizer", "the token of the tokenizer"),
    ],
)
def test_texts_lose_their_secrets_only(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("name", ["password", "secret", "secret_sha256", "api_key", "DB_PASSWORD", "access_token"])
def test_fields_of_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["secrets", "num_tokens", "tokenizer", "key", "signatures", "password_policy"])
def test_others_are_not(name: str) -> None:
    assert not is_secret_name(name)


def test_values_lose_their_secrets_at_any_depth() -> None:
    value = {
        "a": [{"password": "x", "user": "u"}],
        "token": None,
        "credentials": {"user": "u"},
        "environment": [{"name": "API_KEY", "value": "x"}, {"name": "MODE", "value": "fast"}],
        "url": "https://u:x@h/",
        "n": 1,
    }
    assert redact_value(value) == {
        "a": [{"password": "[redacted]", "user": "u"}],
        "token": None,
        "credentials": "[redacted]",
        "environment": [{"name": "API_KEY", "value": "[redacted]"}, {"name": "MODE", "value": "fast"}],
        "url": "https://u:[redacted]@h/",
        "n": 1,
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part",
    ["x", "x ", "-eyJ", "eyJaaaaaaaa.", "\\", '\\"', '"_', "a://", "a://b:c", "authorization", "bearer ", "_token"],
)
def test_long_texts_that_nearly_are_secrets_take_no_time(part: str) -> None:
    """Each of them again and again: what grows with the square of the length would be at it for minutes."""
    text = part * (200_000 // len(part))
    assert redact(text)
