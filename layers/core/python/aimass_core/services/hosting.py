"""Hosts of endpoints: containers that answer with one version of one endpoint, made for it and deleted after it.

A deployment that needs machines gets hosts of its own before anything is asked of it, so that what served before is not
touched. Which hosts are wanted is in the endpoints' rows alone: whatever else there is, the reconciler deletes.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.endpoints import Endpoint, ServedMember, ServedModel
from aimass_core.domain.engines import Engine, EngineKind, HostStatus
from aimass_core.domain.hosts import to_host_name, to_host_owner
from aimass_core.domain.models import ModelVersion
from aimass_core.errors import InvalidRequestError, NotFoundError
from aimass_core.ports import Host, Ports
from aimass_core.services import budgets, endpoint_parts, endpoint_records, platform, records, usages

# Whoever has read an endpoint a moment ago may still ask the hosts that it had then.
_GRACE = timedelta(minutes=1)
# So long machines are paid that a rollback would bring back at once.
_PREVIOUS_KEPT = timedelta(minutes=15)
_log = logging.getLogger(__name__)


def place(ports: Ports, workspace_id: str, endpoint_id: str, model: ServedModel, engine: Engine) -> ServedModel:
    """The same version on another engine, on hosts of its own where that has machines; they are not made yet.

    Raises InvalidRequestError where the version cannot be served so, BudgetSpentError where machines cannot be paid.
    """
    version = f"{model.model_name}@{model.number}"
    model = _with_parts(ports, workspace_id, model, engine)
    if engine.kind is EngineKind.DISTRIBUTED and not model.members:
        raise InvalidRequestError(
            f"{version} is one graph: there is nothing to distribute. Fuse models with `placement: apart`, decompose "
            "one, or choose the engine container or lambda."
        )
    if engine.kind is EngineKind.CONTAINER and model.members:
        raise InvalidRequestError(
            f"{version} is served with its members apart, which one container does not hold. Choose the engine "
            "distributed, or lambda."
        )

    def new_host() -> str | None:
        if engine.machines is None:
            return None
        return to_host_name(workspace_id, endpoint_id, ports.new_id("host"))

    if engine.machines is not None:
        budgets.require(ports, workspace_id)
    is_apart = engine.kind is EngineKind.DISTRIBUTED
    members = [member.model_copy(update={"host": new_host() if is_apart else None}) for member in model.members]
    return model.model_copy(
        update={"engine": engine, "host": None if is_apart else new_host(), "members": members},
    )


def _with_parts(ports: Ports, workspace_id: str, model: ServedModel, engine: Engine) -> ServedModel:
    """A decomposition is one graph, unless its parts are to answer apart."""
    version = records.get(ports, ModelVersion, workspace_id, model.model_id, model.number)
    if not endpoint_parts.has_parts(version):
        return model
    is_apart = engine.kind is EngineKind.DISTRIBUTED
    return model.model_copy(update={"members": endpoint_parts.find_parts(ports, version) if is_apart else []})


def find_fault(ports: Ports, workspace_id: str, model: ServedModel) -> str | None:
    """Makes the hosts of a version where they are not there; why they will never answer, or None.

    Raises UnavailableError where the hosting service has no room now. Idempotent.
    """
    machines = model.engine.machines
    if machines is None:
        return None
    for hosted in _list_hosted(model):
        prefix = keys.model_object(workspace_id, hosted.model_id, hosted.number, "")
        host = Host(name=str(hosted.host), prefix=prefix, instance_type=machines[0], instances=machines[1])
        state = ports.hosting.find(host.name)
        if state is None:
            try:
                ports.hosting.create(host)
            except InvalidRequestError as error:
                return error.message
        elif state.status is HostStatus.FAILED:
            return f"Its containers did not come up: {state.reason or 'no reason was given'}"
    return None


def take_down(ports: Ports, model: ServedModel) -> None:
    """Deletes all hosts of a version; `find_fault` makes them again. Until then whoever asks it is told 503."""
    for hosted in _list_hosted(model):
        if ports.hosting.find(str(hosted.host)) is not None:
            _log.info("host taken down", extra={"host": hosted.host})
            ports.hosting.delete(str(hosted.host))


def are_ready(ports: Ports, model: ServedModel) -> bool:
    """Whether all hosts of a version answer."""
    states = [ports.hosting.find(str(hosted.host)) for hosted in _list_hosted(model)]
    return all(state is not None and state.status is HostStatus.READY for state in states)


def sweep(ports: Ports) -> int:
    """Deletes the hosts that no endpoint wants any more; how many. What is up is counted for the costs."""
    swept = 0
    endpoints: dict[str, Endpoint] = {}
    up: dict[str, list[tuple[str, int]]] = {}
    for state in ports.hosting.list():
        owner = to_host_owner(state.name)
        if owner is None:
            continue
        try:
            endpoint = records.get(ports, Endpoint, owner.workspace_id, owner.endpoint_id)
        except NotFoundError:
            wanted: Iterable[str] = ()
        else:
            machines = _machines_of(endpoint, state.name)
            if machines is not None and state.status is HostStatus.READY:
                up.setdefault(endpoint.id, []).append(machines)
                endpoints[endpoint.id] = endpoint
            if ports.clock() - endpoint.updated_at < _GRACE:
                continue
            wanted = _list_wanted(_release_previous(ports, endpoint))
        if state.name not in wanted:
            _log.info("host deleted", extra={"host": state.name, "endpoint_id": owner.endpoint_id})
            ports.hosting.delete(state.name)
            swept += 1
    for endpoint_id, machines_up in up.items():
        usages.count_containers(ports, endpoints[endpoint_id], machines_up)
    return swept


def is_released(model: ServedModel) -> bool:
    """Whether a version that needs hosts has none any more: it has to be placed again before it answers."""
    return model.engine.machines is not None and not _list_hosted(model)


def _release_previous(ports: Ports, endpoint: Endpoint) -> Endpoint:
    """Gives up the hosts of what served before, once it has not been wanted back for a while."""
    previous = endpoint.previous
    if previous is None or not _list_hosted(previous) or ports.clock() - endpoint.updated_at < _PREVIOUS_KEPT:
        return endpoint
    members = [member.model_copy(update={"host": None}) for member in previous.members]
    released = previous.model_copy(update={"host": None, "members": members})
    reason = f"The machines of {previous.ref}, which served before, are given up. A rollback starts others."
    principal = platform.principal("reconciler", endpoint.workspace_id)
    return endpoint_records.save(
        ports, endpoint, principal=principal, action="released", reason=reason, model=previous, previous=released
    )


def _machines_of(endpoint: Endpoint, host: str) -> tuple[str, int] | None:
    """Instance type and number of a host; None of one that none of the endpoint's versions names."""
    for model in endpoint.list_models():
        if any(hosted.host == host for hosted in _list_hosted(model)):
            return model.engine.machines
    return None


def _list_wanted(endpoint: Endpoint) -> set[str]:
    return {str(hosted.host) for model in endpoint.list_models() for hosted in _list_hosted(model)}


def _list_hosted(model: ServedModel) -> list[ServedModel | ServedMember]:
    found: list[ServedModel | ServedMember] = [model, *model.members]
    return [each for each in found if each.host is not None]
