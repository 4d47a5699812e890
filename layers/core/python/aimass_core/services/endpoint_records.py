"""How an endpoint changes: with its holds on model versions and an entry of its history, in one transaction."""

from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_counters import RolloutCounts
from aimass_core.domain.endpoints import Endpoint, EndpointEvent, ServedModel
from aimass_core.errors import ConflictError, StaleRevisionError
from aimass_core.ports import Delete, Ports, Put, WriteConflictError
from aimass_core.services import models, records

# The place of the event among the writes of a change.
_EVENT = 1


def save(
    ports: Ports,
    endpoint: Endpoint,
    *,
    principal: Principal,
    action: str,
    reason: str | None = None,
    model: ServedModel | None = None,
    counts: RolloutCounts | None = None,
    **changes: Any,
) -> Endpoint:
    """Saves an endpoint with its changes.

    Args:
        action: what the history calls it.
        reason: why, for the history.
        model: the version that the change is about, where it is not the one that serves.
        counts: by which it was decided.

    Raises:
        StaleRevisionError: Somebody else was faster.
        ConflictError: A version changed in this moment.
        NotFoundError: A version is gone.
    """
    changed = endpoint.model_copy(update={**changes, "revision": endpoint.revision + 1})
    holds = models.hold_writes(ports, endpoint.workspace_id, endpoint.id, before=held(endpoint), after=held(changed))
    event = to_event(ports, principal, changed, action=action, reason=reason, model=model, counts=counts)
    audit = records.audit(ports, principal, f"endpoint.{action}", endpoint, after=changed, reason=reason)
    try:
        return records.save(ports, endpoint, endpoint.id, also=[event, audit, *holds], **changes)
    except WriteConflictError as error:
        # NOTE: a row that is there as it was to be written is no conflict; its event tells that somebody else wrote it.
        if _EVENT in error.failed:
            raise StaleRevisionError(f"{endpoint.name!r} was changed in this moment. Read it again.") from error
        raise ConflictError(f"A model version of {endpoint.name!r} changed in this moment. Try again.") from error


def to_event(
    ports: Ports,
    principal: Principal,
    endpoint: Endpoint,
    *,
    action: str,
    reason: str | None = None,
    model: ServedModel | None = None,
    counts: RolloutCounts | None = None,
) -> Put:
    """The write that adds an endpoint, as it is after a change, to its history."""
    event = EndpointEvent(
        **records.new_fields(ports, principal, EndpointEvent),
        endpoint_id=endpoint.id,
        number=endpoint.revision,
        action=action,
        reason=reason,
        status=endpoint.status,
        serving=endpoint.serving.ref if endpoint.serving else None,
        model=model.ref if model else None,
        percent=endpoint.rollout.percent if endpoint.rollout else None,
        counts=counts,
        settings=endpoint.settings,
        weights=endpoint.weights,
    )
    return Put(row=records.to_row(event, endpoint.id, endpoint.revision))


def list_history(
    ports: Ports, endpoint: Endpoint, *, limit: int, start: str | None = None
) -> tuple[list[EndpointEvent], str | None]:
    """A page of what became of an endpoint, newest first."""
    return records.list_page(ports, EndpointEvent, endpoint.workspace_id, endpoint.id, limit=limit, start=start)


def delete_history(ports: Ports, endpoint: Endpoint) -> None:
    """Of an endpoint that is gone. Idempotent."""
    prefix = keys.row_prefix(EndpointEvent.resource, endpoint.id)
    while rows := ports.registry.query(keys.partition(endpoint.workspace_id), prefix, limit=100).rows:
        ports.registry.write(*(Delete(key=row.key, expected=row.revision) for row in rows))


def held(endpoint: Endpoint) -> list[models.VersionKey]:
    """The versions that cannot be deleted. A fusion whose members are served apart cannot do without them.

    What only a rollback would bring back may be deleted: then there is nothing to roll back to.
    """
    found: list[models.VersionKey] = []
    rolling = endpoint.rollout.model if endpoint.rollout else None
    for model in (endpoint.serving, endpoint.candidate, rolling):
        if model is not None:
            found.append(models.VersionKey(model.model_id, model.number))
            found += [models.VersionKey(member.model_id, member.number) for member in model.members]
    return found
