"""Seals of the audit trail: what was changed after it was sealed is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryRegistry
from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry, AuditProof
from aimass_core.domain.common import MonotonicIds, Principal
from aimass_core.domain.datasets import DatasetCreate
from aimass_core.ports import Delete, Put, Row, RowPage, Write
from aimass_core.services import api_keys, audit_seals, datasets, workspaces
from tests.factories.platform import ManualClock

AFTER_GRACE = audit_seals.GRACE.total_seconds() + 1
Tamper = Callable[[MemoryPorts, list[Row], str], None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    return MemoryPorts(clock=clock, new_id=MonotonicIds(clock=clock))


@pytest.fixture
def admin(ports: MemoryPorts) -> Principal:
    _, token = workspaces.create_first(ports, name="team")
    return api_keys.authenticate(ports, token)


@pytest.fixture
def sealed(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> list[Row]:
    """Three seals over entries, and one entry that is too new."""
    for number in range(3):
        datasets.create(ports, admin, DatasetCreate(name=f"d{number}"))
        clock.advance(AFTER_GRACE)
        assert audit_seals.seal_due(ports) > 0
    datasets.create(ports, admin, DatasetCreate(name="new"))
    return _rows(ports, admin, AuditEntry.resource)


def _rows(ports: MemoryPorts, admin: Principal, resource: str) -> list[Row]:
    return list(ports.registry.query(keys.partition(admin.workspace_id), keys.row_prefix(resource), limit=1_000).rows)


def _put(ports: MemoryPorts, row: Row, **changes: object) -> None:
    changed = replace(row, data={**row.data, **changes}, revision=row.revision + 1)
    ports.registry.write(Put(row=changed, expected=row.revision))


def test_entries_are_sealed_once_they_are_old_enough(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> None:
    assert audit_seals.seal_due(ports) == 0
    clock.advance(AFTER_GRACE)
    assert audit_seals.seal_due(ports) == 2
    assert audit_seals.seal_due(ports) == 0


def test_an_untouched_trail_is_intact(ports: MemoryPorts, admin: Principal, sealed: list[Row]) -> None:
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.faults) == (True, [])
    assert (proof.num_seals, proof.num_entries, proof.num_verified, proof.num_unsealed) == (3, 5, 5, 1)
    assert proof.sealed_until == AuditEntry.model_validate(sealed[4].data).created_at
    assert proof.head == _rows(ports, admin, "audit_seal")[-1].data["signature"]


def test_a_workspace_without_seals_has_nothing_to_find(ports: MemoryPorts, admin: Principal) -> None:
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.num_seals, proof.num_unsealed, proof.head) == (True, 0, 2, None)


def _change(ports: MemoryPorts, entries: list[Row], workspace_id: str) -> None:
    _put(ports, entries[2], created_by="somebody else")


def _remove(ports: MemoryPorts, entries: list[Row], workspace_id: str) -> None:
    ports.registry.write(Delete(key=entries[3].key, expected=entries[3].revision))


def _insert(ports: MemoryPorts, entries: list[Row], workspace_id: str) -> None:
    entry_id = entries[3].data["id"]
    forged_id = f"{entry_id[:-1]}{'0' if entry_id.endswith('f') else 'f'}"
    data = {**entries[3].data, "id": forged_id}
    ports.registry.write(Put(row=Row(key=keys.row(workspace_id, "audit", forged_id), data=data, revision=1)))


def _remove_seal(ports: MemoryPorts, entries: list[Row], workspace_id: str) -> None:
    ports.registry.write(Delete(key=keys.audit_seal_row(workspace_id, 2), expected=1))


def _forge_seal(ports: MemoryPorts, entries: list[Row], workspace_id: str) -> None:
    """Somebody who can write, but has no secret, makes a seal fit what they have changed."""
    _change(ports, entries, workspace_id)
    row = ports.registry.get(keys.audit_seal_row(workspace_id, 2))
    assert row is not None
    changed = ports.registry.get(entries[2].key)
    assert changed is not None
    _put(ports, row, content_sha256=audit_seals._digest([changed]))


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (_change, "were changed after they were sealed"),
        (_remove, "There are 0 entries where 1 were sealed"),
        (_insert, "There are 2 entries where 1 were sealed"),
        (_remove_seal, "A seal before this one is missing"),
        (_forge_seal, "was not made by the platform"),
    ],
)
def test_what_was_done_to_the_trail_is_found(
    ports: MemoryPorts, admin: Principal, sealed: list[Row], tamper: Tamper, words: str
) -> None:
    tamper(ports, sealed, admin.workspace_id)
    proof = audit_seals.verify(ports, admin)
    assert not proof.is_intact
    assert words in " ".join(fault.reason for fault in proof.faults)


def test_seals_taken_off_the_end_are_seen_by_the_head(ports: MemoryPorts, admin: Principal, sealed: list[Row]) -> None:
    before: AuditProof = audit_seals.verify(ports, admin)
    ports.registry.write(Delete(key=keys.audit_seal_row(admin.workspace_id, 3), expected=1))
    assert audit_seals.verify(ports, admin).head != before.head


def test_of_two_who_seal_at_the_same_time_one_does(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> None:
    clock.advance(AFTER_GRACE)
    datasets.create(ports, admin, DatasetCreate(name="d"))
    rival = ports.registry

    class Slow(MemoryRegistry):
        """Somebody else, who sees one entry more, seals between the read and the write."""

        def write(self, *writes: Write) -> None:
            ports.registry = rival
            clock.advance(AFTER_GRACE)
            assert audit_seals.seal(ports, admin.workspace_id) == 3
            rival.write(*writes)

        def query(self, *arguments: Any, **options: Any) -> RowPage:
            return rival.query(*arguments, **options)

    ports.registry = Slow()
    assert audit_seals.seal(ports, admin.workspace_id) == 0
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.num_seals, proof.num_entries) == (True, 1, 3)


def test_a_seal_takes_no_more_than_fits(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> None:
    for number in range(audit_seals.MAX_ENTRIES):
        datasets.create(ports, admin, DatasetCreate(name=f"d{number}"))
    clock.advance(AFTER_GRACE)
    assert [audit_seals.seal_due(ports) for _ in range(3)] == [audit_seals.MAX_ENTRIES, 2, 0]
    assert audit_seals.verify(ports, admin).is_intact


def _trim(ports: MemoryPorts, admin: Principal, sealed: list[Row], *, keep: int) -> int:
    """Keeps the entries from that one on."""
    before = AuditEntry.model_validate(sealed[keep].data).created_at
    return audit_seals.trim(ports, admin.workspace_id, before=before)


def test_what_the_retention_has_outlived_goes_and_the_rest_verifies(
    ports: MemoryPorts, clock: ManualClock, admin: Principal, sealed: list[Row]
) -> None:
    head = audit_seals.verify(ports, admin).head
    assert _trim(ports, admin, sealed, keep=3) == 4, "three entries and their seal"
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.faults, proof.head) == (True, [], head)
    assert (proof.num_seals, proof.num_entries, proof.num_removed) == (2, 2, 3)
    left = _rows(ports, admin, AuditEntry.resource)
    assert left[0].key == sealed[3].key
    assert left[-1].data["action"] == "audit.trim", "that it went is in the trail"
    assert _trim(ports, admin, sealed, keep=3) == 0
    clock.advance(AFTER_GRACE)
    assert audit_seals.seal_due(ports) == 2
    assert audit_seals.verify(ports, admin).is_intact


def test_a_trail_of_which_every_seal_went_goes_on(
    ports: MemoryPorts, clock: ManualClock, admin: Principal, sealed: list[Row]
) -> None:
    head = audit_seals.verify(ports, admin).head
    audit_seals.trim(ports, admin.workspace_id, before=clock())
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.num_seals, proof.num_removed, proof.head) == (True, 0, 5, head)
    assert proof.num_unsealed == 2, "what is not sealed stays"
    clock.advance(AFTER_GRACE)
    assert audit_seals.seal_due(ports) == 2
    proof = audit_seals.verify(ports, admin)
    assert (proof.is_intact, proof.num_seals, proof.num_entries) == (True, 1, 2)


def test_a_sweep_that_is_cut_off_anywhere_leaves_an_intact_trail(
    ports: MemoryPorts, admin: Principal, sealed: list[Row]
) -> None:
    rows = {row.key: row for row in (*sealed, *_rows(ports, admin, "audit_seal"))}
    _trim(ports, admin, sealed, keep=3)
    gone = [row for key, row in rows.items() if ports.registry.get(key) is None]
    for row in gone:
        ports.registry.write(Put(row=replace(row, revision=1)))
    assert audit_seals.verify(ports, admin).is_intact
    assert audit_seals.trim(ports, admin.workspace_id, before=None) == len(gone)
    assert audit_seals.verify(ports, admin).is_intact


def test_nobody_else_can_say_where_the_trail_begins(ports: MemoryPorts, admin: Principal, sealed: list[Row]) -> None:
    """Who takes the oldest seals off makes a base that fits them, but cannot sign it."""
    first, *_ = _rows(ports, admin, "audit_seal")
    ports.registry.write(Delete(key=first.key, expected=first.revision))
    for row in sealed[:3]:
        ports.registry.write(Delete(key=row.key, expected=row.revision))
    data = {
        "number": 1,
        "seal_signature": first.data["signature"],
        "last_id": first.data["last_id"],
        "num_entries": 3,
        "signature": "0" * 64,
    }
    ports.registry.write(Put(row=Row(key=keys.row(admin.workspace_id, "audit_base"), data=data, revision=1)))
    (fault,) = audit_seals.verify(ports, admin).faults
    assert "Where the trail begins was not said by the platform" in fault.reason


def test_a_base_that_was_put_back_is_found(ports: MemoryPorts, admin: Principal, sealed: list[Row]) -> None:
    """An older base, which was signed once, misses the seals that went since."""
    _trim(ports, admin, sealed, keep=3)
    key = keys.row(admin.workspace_id, "audit_base")
    former = ports.registry.get(key)
    assert former is not None
    _trim(ports, admin, sealed, keep=4)
    present = ports.registry.get(key)
    assert present is not None
    ports.registry.write(Put(row=replace(former, revision=present.revision + 1), expected=present.revision))
    assert not audit_seals.verify(ports, admin).is_intact
