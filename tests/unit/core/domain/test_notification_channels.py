"""What channels and rules may be."""

import pytest
from pydantic import TypeAdapter, ValidationError

from aimass_core.domain.notification_channels import RuleCreate, Target, matches
from aimass_core.domain.notifications import TYPES, NotificationType
from aimass_core.domain.webhook_signatures import shown

_TARGET: TypeAdapter[Target] = TypeAdapter(Target)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "https:///nowhere",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/\r\nHost: evil",
        "https://exämple.org/",
        "javascript:alert(1)",
    ],
)
def test_h14_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        _TARGET.validate_python({"type": "webhook", "url": url})


@pytest.mark.parametrize(
    "address",
    ["nobody", "a@", "@example.org", "a@b@c", "a@example.org\r\nBcc: b@example.org", "a, b@example.org", "<a@b.org>"],
)
def test_address_that_would_be_more_than_one_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        _TARGET.validate_python({"type": "email", "to": [address]})


def test_ordinary_addresses_are_taken() -> None:
    for to in ("a@example.org", "first.last+tag@mail.example-site.org", "o'neil@example.org"):
        assert _TARGET.validate_python({"type": "email", "to": [to]})


def test_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://example.org/in/1?token=canary") == "https://example.org/in/1?..."
    assert shown("https://hooks.example.org/T/canary", only_host=True) == "https://hooks.example.org/..."


def test_patterns_mean_types_and_groups() -> None:
    assert matches("job.*", NotificationType.JOB_FAILED)
    assert matches("*", NotificationType.REPORT_READY)
    assert not matches("job.*", NotificationType.STUDY_ENDED)
    assert not matches("*", NotificationType.TEST)
    with pytest.raises(ValidationError, match=r"'jobs\.\*' names no event: write one of job\.succeeded"):
        RuleCreate(name="r", events=["jobs.*"], channels=["c"])


def test_every_type_is_described() -> None:
    assert {each.type for each in TYPES} == set(NotificationType)
