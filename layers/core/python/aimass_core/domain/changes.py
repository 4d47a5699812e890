"""What differs between two states of a resource, field by field, as the audit trail keeps it."""

import json
from collections.abc import Mapping
from typing import Any

from aimass_core.domain.audit import FieldChange
from aimass_core.domain.common import Resource
from aimass_core.domain.redaction import REDACTED, is_secret_name, redact_value

_MAX_FIELDS = 60
_MAX_CHARACTERS = 500
# What every change changes, and what the entry says itself.
_IMPLIED = frozenset({"id", "workspace_id", "created_at", "updated_at", "created_by", "revision"})


def diff(before: Resource | None, after: Resource | None) -> dict[str, FieldChange]:
    """The fields that differ, those of fields with a dot; of one that is new or gone all that it has.

    Secrets are left out, texts are cut, and of very many fields the first are kept.
    """
    was, became = _fields(before), _fields(after)
    names = [name for name in {**was, **became} if was.get(name) != became.get(name)]
    return {
        name: FieldChange(before=_to_shown(name, was.get(name)), after=_to_shown(name, became.get(name)))
        for name in names[:_MAX_FIELDS]
    }


def _fields(resource: Resource | None) -> dict[str, Any]:
    if resource is None:
        return {}
    return dict(_flatten("", resource.model_dump(mode="json", exclude=set(_IMPLIED))))


def _flatten(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flatten(f"{prefix}{name}.", value)
        else:
            found.append((f"{prefix}{name}", value))
    return found


def _to_shown(path: str, value: Any) -> Any:
    if value is None:
        return None
    if any(is_secret_name(part) for part in path.split(".")):
        return REDACTED
    safe = redact_value(value)
    text = safe if isinstance(safe, str) else json.dumps(safe, ensure_ascii=False)
    if len(text) <= _MAX_CHARACTERS:
        return safe
    return f"{text[:_MAX_CHARACTERS]}... ({len(text):,} characters)"
