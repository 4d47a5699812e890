"""docs/PERMISSIONS.md, made from the table of operations: `python -m functions.api.permissions_page`."""

import sys
from collections.abc import Iterable
from itertools import groupby

from aimass_core.domain.common import Role
from aimass_core.domain.sources import SourceVerb
from aimass_core.services.source_access import VERB_OF_ROLE
from functions.api import access
from functions.api.routing import Operation

_HEAD = """# Who may do what

Made by `python -m functions.api.permissions_page > docs/PERMISSIONS.md` from the table of operations that the API
itself decides by; a test compares both. What is not in it does not exist, and what is in it is closed to everybody who
is not named.

A caller is an API key, a session that was begun with one, or a person who has signed in. Each has one role in a
workspace; each role includes those before it. Things of another workspace answer 404.

- **open**: without a key.
- **edit**: also who has a grant of `edit` on that one dataset, model or endpoint: a user, a key, or a role.
- **guests**: also another workspace that was granted `read`, by the thing's id.
- **source**: what may be done with a source is a verb, which a role gives, or a grant to a user, a key or another
  workspace: {verbs}. Collectors edit the sources that they made.
"""
_PREDICTIONS = """## inference

Whoever has a role asks endpoints, also guests of the endpoint: `/v1/endpoints/{endpoint}/predict` and `/invocations`,
and `/v2/...` but for `/v2/repository/models/{model}/load` and `/unload`, which are for developers. `/v2/health/live`
and `/v2/health/ready` are open.
"""
_ROW = "| {method} | `{path}` | {what} | {roles} | {also} |"


def build(operations: Iterable[Operation]) -> str:
    """The page."""
    lines = [_HEAD.format(verbs=_verbs())]
    header = f"| | | | {' | '.join(Role)} | also |"
    ordered = sorted(operations, key=lambda operation: operation.tag)
    for tag, group in groupby(ordered, key=lambda operation: operation.tag):
        lines += [f"## {tag}", "", header, "|---|---|---|---|---|---|---|---|"]
        lines += [_row_of(operation) for operation in group]
        lines.append("")
    return "\n".join([*lines, _PREDICTIONS])


def _row_of(operation: Operation) -> str:
    marks = " | ".join(_mark(_may(role, operation)) for role in Role)
    return _ROW.format(
        method=operation.method,
        path=operation.openapi_path,
        what=operation.summary,
        roles=marks,
        also=_also(operation),
    )


def _may(role: Role, operation: Operation) -> bool:
    if operation.verb is not None:
        return VERB_OF_ROLE[role].includes(operation.verb)
    return operation.role is None or role.includes(operation.role)


def _also(operation: Operation) -> str:
    if operation.verb is not None:
        return f"source: {operation.verb}"
    found = {
        "open": operation.role is None,
        "edit": access.takes_grant(operation),
        "guests": access.takes_guests(operation),
    }
    return ", ".join(name for name, holds in found.items() if holds)


def _verbs() -> str:
    return " < ".join(f"`{verb}`" for verb in SourceVerb)


def _mark(is_allowed: bool) -> str:
    return "x" if is_allowed else ""


if __name__ == "__main__":
    from functions.api.app import OPERATIONS

    sys.stdout.write(build(OPERATIONS))
