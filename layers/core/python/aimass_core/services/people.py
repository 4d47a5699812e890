"""Where people belong, over all workspaces: one row for each, which every change of a membership writes too."""

from collections.abc import Callable

from aimass_core.domain import keys
from aimass_core.domain.users import Membership, Person
from aimass_core.ports import Delete, Ports, Put, Row, Write

MAX_WORKSPACES = 100
Change = Callable[[Person], Person]


def find(ports: Ports, subject: str) -> Person | None:
    """None where they belong nowhere."""
    row = ports.registry.get(keys.person_row(subject))
    return None if row is None else Person.model_validate(row.data)


def write(ports: Ports, subject: str, change: Change, *, email: str = "") -> Write:
    """The write that changes a person, if nobody else does in the meantime; it belongs into the transaction of the
    change. Who belongs nowhere any more has no row.

    Args:
        email: of whom belongs nowhere yet.
    """
    key = keys.person_row(subject)
    row = ports.registry.get(key)
    person = Person(subject=subject, email=email) if row is None else Person.model_validate(row.data)
    changed = change(person)
    expected = None if row is None else row.revision
    if not changed.memberships and expected is not None:
        return Delete(key=key, expected=expected)
    return Put(row=Row(key=key, data=changed.model_dump(mode="json"), revision=(expected or 0) + 1), expected=expected)


def with_membership(membership: Membership) -> Change:
    """Adds it, or replaces the one in its workspace."""

    def change(person: Person) -> Person:
        others = [each for each in person.memberships if each.workspace_id != membership.workspace_id]
        is_new = len(others) == len(person.memberships)
        kept = [membership if each.workspace_id == membership.workspace_id else each for each in person.memberships]
        return person.model_copy(update={"memberships": [*kept, membership] if is_new else kept})

    return change


def without_membership(workspace_id: str) -> Change:
    """Takes it away."""

    def change(person: Person) -> Person:
        kept = [each for each in person.memberships if each.workspace_id != workspace_id]
        return person.model_copy(update={"memberships": kept})

    return change
