"""What the audit trail keeps of a change."""

from datetime import UTC, datetime

from aimass_core.domain.changes import diff
from aimass_core.domain.common import Resource

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Thing(Resource):
    """A resource with every kind of field."""

    resource = "thing"
    prefix = "th"

    name: str = "a"
    policy: dict[str, object] = {}
    tags: list[str] = []
    secret: str | None = None


def thing(**fields: object) -> Thing:
    given = {"id": "th_1", "workspace_id": "ws_1", "created_at": NOW, "updated_at": NOW, "created_by": "key_1"}
    return Thing.model_validate({**given, **fields})


def shown(before: Thing | None, after: Thing | None) -> dict[str, tuple[object, object]]:
    return {name: (change.before, change.after) for name, change in diff(before, after).items()}


def test_only_fields_that_differ_are_kept_and_those_of_fields_with_a_dot() -> None:
    before = thing(policy={"rows": "reject", "days": 3}, tags=["a"])
    after = thing(policy={"rows": "keep", "days": 3}, tags=["a", "b"], revision=2)
    assert shown(before, after) == {"policy.rows": ("reject", "keep"), "tags": (["a"], ["a", "b"])}
    assert shown(before, before) == {}


def test_of_what_is_new_or_gone_everything_is_kept_that_it_has() -> None:
    assert shown(None, thing(name="b")) == {"name": (None, "b"), "policy": (None, {}), "tags": (None, [])}
    assert shown(thing(name="b"), None)["name"] == ("b", None)


def test_a_field_that_becomes_empty_is_a_change() -> None:
    assert shown(thing(policy={"rows": "reject"}), thing()) == {"policy.rows": ("reject", None), "policy": (None, {})}


def test_secrets_are_seen_to_change_and_not_how() -> None:
    assert shown(thing(secret="a"), thing(secret="b")) == {"secret": ("[redacted]", "[redacted]")}
    assert shown(thing(), thing(secret="b")) == {"secret": (None, "[redacted]")}
    assert shown(thing(), thing(policy={"password": "b"}))["policy.password"] == (None, "[redacted]")


def test_what_is_long_is_cut_and_very_many_fields_are_bounded() -> None:
    changes = shown(thing(), thing(name="x" * 10_000, tags=["y" * 400] * 400))
    assert all(len(str(after)) < 600 for _, after in changes.values())
    assert str(changes["name"][1]).endswith("(10,000 characters)")
    assert len(diff(None, thing(policy={str(number): number for number in range(1_000)}))) == 60
