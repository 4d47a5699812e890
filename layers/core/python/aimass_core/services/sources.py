"""Sources as their users ask for them: create, list, change, pause, delete; and their secrets."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from aimass_core.domain import keys
from aimass_core.domain.collectors import PythonCollector, SingerCollector
from aimass_core.domain.common import Principal
from aimass_core.domain.settings.collection import CollectionSettings
from aimass_core.domain.sources import (
    CollectionPolicy,
    SecretValue,
    Source,
    SourceCreate,
    SourceHealth,
    SourceRecord,
    SourceStatus,
    SourceUpdate,
    SourceVerb,
)
from aimass_core.errors import ConflictError, StaleRevisionError, UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import (
    job_sources,
    records,
    retention,
    source_access,
    source_datasets,
    source_health,
    source_leases,
    webhooks,
)

ModelT = TypeVar("ModelT", bound=BaseModel)

_REVISION = "source_revision"
_MAX_WRITES = 8


def create(ports: Ports, principal: Principal, request: SourceCreate) -> Source:
    """A source; its schedule begins at once. Raises AlreadyExistsError or InvalidRequestError."""
    record = SourceRecord(
        **records.new_fields(ports, principal, SourceRecord),
        **{name: getattr(request, name) for name in SourceCreate.model_fields if name not in ("owner", "policy")},
        owner=request.owner or principal.actor,
        policy=_complete(request.policy, ports.live_settings.get(CollectionSettings, principal.workspace_id)),
    )
    _check(ports, record)
    also = [source_health.new_write(ports, record), *retention.plan_writes(ports, record)]
    records.create(ports, principal, record, name=record.name, also=also)
    return _to_source(ports, record, SourceVerb.EDIT)


def _complete(policy: CollectionPolicy, settings: CollectionSettings) -> CollectionPolicy:
    """A policy with what it leaves open, as the workspace's settings say."""
    contract = _fill(policy.contract, columns=settings.new_columns, types=settings.other_types)
    completed = _fill(
        policy,
        max_seconds=settings.run_max_seconds,
        max_requests_per_second=settings.max_requests_per_second,
        on_violation=settings.on_violation,
        retention_days=settings.retention_days,
    )
    pii = _fill(policy.pii, detected=settings.detected_pii)
    return completed.model_copy(update={"contract": contract, "pii": pii})


def _fill(given: ModelT, **defaults: Any) -> ModelT:
    return given.model_copy(
        update={name: value for name, value in defaults.items() if name not in given.model_fields_set}
    )


def get(ports: Ports, principal: Principal, source: str) -> Source:
    """One source by id, or by name in the caller's workspace. Raises NotFoundError."""
    record, verb = source_access.resolve(ports, principal, source)
    return _to_source(ports, record, verb)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None, shared: bool = False
) -> tuple[list[Source], str | None]:
    """A page of the workspace's sources, newest first; or of those that others gave it a grant for."""
    if shared:
        given, next_start = source_access.list_shared(ports, principal, limit=limit, start=start)
        return [_to_source(ports, record, verb) for record, verb in given], next_start
    found, next_start = records.list_page(ports, SourceRecord, principal.workspace_id, limit=limit, start=start)
    verbs = [source_access.verb_of(ports, principal, record) for record in found]
    return [_to_source(ports, record, verb) for record, verb in zip(found, verbs, strict=True)], next_start


def update(ports: Ports, principal: Principal, source: str, request: SourceUpdate, *, revision: int) -> Source:
    """Changes what the request names; the next run follows it. The former revision is kept.

    Raises StaleRevisionError or InvalidRequestError.
    """
    record = source_access.find(ports, principal, source, SourceVerb.EDIT)
    records.require_revision(record, revision)
    changes = {name: value for name in request.model_fields_set if (value := getattr(request, name)) is not None}
    changes = {name: value for name, value in changes.items() if getattr(record, name) != value}
    if not changes:
        return _to_source(ports, record, SourceVerb.EDIT)
    changed = _save(ports, principal, record, changes)
    return _to_source(ports, changed, SourceVerb.EDIT)


def list_revisions(
    ports: Ports, principal: Principal, source: str, *, limit: int, start: str | None = None
) -> tuple[list[SourceRecord], str | None]:
    """A page of what a source was before its changes, the latest change first."""
    record = source_access.find(ports, principal, source, SourceVerb.READ)
    page = ports.registry.query(
        keys.partition(record.workspace_id),
        keys.row_prefix(_REVISION, record.id),
        limit=limit,
        start=start,
        newest_first=True,
    )
    return [SourceRecord.model_validate(row.data) for row in page.rows], page.next_start


def pause(ports: Ports, principal: Principal, source: str) -> Source:
    """The schedule starts no further run; one that is on its way goes on. Idempotent."""
    reason = f"Paused by {principal.actor}."
    return _switch(ports, principal, source, "pause", {"status": SourceStatus.PAUSED, "status_reason": reason})


def resume(ports: Ports, principal: Principal, source: str) -> Source:
    """The reverse, also of AUTH_FAILED. Idempotent."""
    return _switch(ports, principal, source, "resume", {"status": SourceStatus.ACTIVE, "status_reason": None})


def delete(ports: Ports, principal: Principal, source: str) -> None:
    """With its grants, its secrets and its state; the datasets stay. Raises ConflictError while a run goes on."""
    record = source_access.find_own(ports, principal, source, SourceVerb.EDIT)
    source_leases.require_idle(ports, record)
    source_access.revoke_all(ports, principal, record)
    source_datasets.unlink_all(ports, record)
    webhooks.delete_secret(ports, record)
    for name in record.secrets:
        ports.secrets.delete(keys.source_secret(record.workspace_id, record.id, name))
    writes: list[Write] = [
        Delete(key=keys.row(record.workspace_id, record.resource, record.id), expected=record.revision),
        Delete(key=keys.name_row(record.workspace_id, record.resource, record.name), expected=1),
        *source_health.delete_writes(ports, record),
        *retention.unplan_writes(ports, record),
        records.audit(ports, principal, "source.delete", record, name=record.name),
    ]
    try:
        ports.registry.write(*writes)
    except WriteConflictError as error:
        raise StaleRevisionError(
            f"The source {record.name!r} was changed in this moment. Look at it again before you delete it."
        ) from error


def set_secret(ports: Ports, principal: Principal, source: str, name: str, secret: SecretValue) -> Source:
    """Keeps a secret where only runs read it. A source whose secret was refused is tried again."""
    record = source_access.find(ports, principal, source, SourceVerb.EDIT)
    ports.secrets.put(keys.source_secret(record.workspace_id, record.id, name), secret.value)
    changed = _change_names(ports, principal, record, name, is_set=True)
    return _to_source(ports, changed, SourceVerb.EDIT)


def delete_secret(ports: Ports, principal: Principal, source: str, name: str) -> None:
    """Idempotent."""
    record = source_access.find(ports, principal, source, SourceVerb.EDIT)
    ports.secrets.delete(keys.source_secret(record.workspace_id, record.id, name))
    _change_names(ports, principal, record, name, is_set=False)


def _check(ports: Ports, record: SourceRecord) -> None:
    """What a contract alone cannot know. Raises InvalidRequestError or ConflictError."""
    if isinstance(record.collector, PythonCollector | SingerCollector):
        job_sources.require(ports, record.workspace_id, record.collector.package, location="body.collector.package")
    webhooks.check_policy(record)


def _save(
    ports: Ports,
    principal: Principal,
    record: SourceRecord,
    changes: Mapping[str, Any],
    *,
    action: str = "source.update",
    health: Mapping[str, Any] | None = None,
) -> SourceRecord:
    """One revision more: the former one, what the change does to the schedule and who did it are written with it."""
    changed = record.model_copy(update=dict(changes))
    _check(ports, changed)
    former = Row(
        key=keys.row(record.workspace_id, _REVISION, record.id, record.revision),
        data=record.model_dump(mode="json"),
        revision=1,
    )

    def change(now: SourceHealth) -> dict[str, Any]:
        kept = now.model_copy(update=dict(health or {}))
        return {**(health or {}), **source_health.reschedule(ports, changed, kept)}

    for _ in range(_MAX_WRITES):
        also: list[Write] = [
            Put(row=former),
            records.audit(ports, principal, action, record, after=changed, revision=record.revision + 1),
        ]
        if (health or "policy" in changes) and (put := source_health.change_write(ports, record, change)) is not None:
            also.append(put)
        also += retention.plan_writes(ports, changed)
        try:
            return records.save(ports, record, also=also, **changes)
        except WriteConflictError:
            continue
    raise UnavailableError(f"The source {record.name!r} changes too quickly. Try again.")


def _change_names(ports: Ports, principal: Principal, record: SourceRecord, name: str, *, is_set: bool) -> SourceRecord:
    """Lists the secret or takes it off the list, also where the source is changed in the same moment."""
    for _ in range(_MAX_WRITES):
        names = sorted({*record.secrets, name} if is_set else set(record.secrets) - {name})
        health: dict[str, Any] = {}
        if is_set and source_health.load(ports, record).status is SourceStatus.AUTH_FAILED:
            health = {"status": SourceStatus.ACTIVE, "status_reason": None}
        action = "source.secret.set" if is_set else "source.secret.delete"
        try:
            return _save(ports, principal, record, {"secrets": names}, action=action, health=health)
        except StaleRevisionError:
            record = records.get(ports, SourceRecord, record.workspace_id, record.id)
    raise ConflictError(f"The source {record.name!r} changes too quickly. Set the secret again.")


def _switch(ports: Ports, principal: Principal, source: str, action: str, changes: dict[str, Any]) -> Source:
    record = source_access.find(ports, principal, source, SourceVerb.EDIT)

    def change(health: SourceHealth) -> dict[str, Any] | None:
        if health.status is changes["status"]:
            return None
        kept = health.model_copy(update=changes)
        return {**changes, **source_health.reschedule(ports, record, kept)}

    if source_health.load(ports, record).status is not changes["status"]:
        audit = records.audit(ports, principal, f"source.{action}", record, **changes)
        source_health.update(ports, record, change, audit)
    return _to_source(ports, record, SourceVerb.EDIT)


def _to_source(ports: Ports, record: SourceRecord, verb: SourceVerb) -> Source:
    return Source(**record.model_dump(), **source_health.load(ports, record).model_dump(), verb=verb)
