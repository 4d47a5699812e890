"""Endpoints: a name that serves one verified model version, and takes the next one only once it has proved itself."""

import logging

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, split_ref
from aimass_core.domain.endpoint_settings import Capture, EndpointSettings
from aimass_core.domain.endpoints import (
    Endpoint,
    EndpointCreate,
    EndpointDetail,
    EndpointStatus,
    EndpointUpdate,
    ServedModel,
)
from aimass_core.domain.engines import Engine, EngineKind
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.settings.inference import InferenceSettings
from aimass_core.domain.signatures import Signature
from aimass_core.errors import ConflictError, StaleRevisionError
from aimass_core.ports import Delete, Ports, WriteConflictError
from aimass_core.services import (
    endpoint_counters,
    endpoint_records,
    endpoint_settings,
    endpoint_weights,
    golden_requests,
    hosting,
    model_approvals,
    models,
    platform,
    records,
    rollouts,
)

_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, request: EndpointCreate) -> Endpoint:
    """Names an endpoint for a model version; it is READY once the golden request has given the golden answer."""
    resolved = _resolve(ports, principal, request.model)
    name = request.name or resolved.model_name
    fields = records.new_fields(ports, principal, Endpoint)
    candidate = hosting.place(ports, principal.workspace_id, fields["id"], resolved, request.engine)
    settings = _first_settings(ports, principal.workspace_id, request.engine)
    endpoint = Endpoint(**fields, name=name, status=EndpointStatus.CREATING, candidate=candidate, settings=settings)
    held = endpoint_records.held(endpoint)
    holds = models.hold_writes(ports, principal.workspace_id, endpoint.id, before=(), after=held)
    event = endpoint_records.to_event(ports, principal, endpoint, action="created", model=candidate)
    try:
        return records.create(ports, principal, endpoint, name=name, also=[event, *holds])
    except WriteConflictError as error:
        raise _changed(candidate) from error


def _first_settings(ports: Ports, workspace_id: str, engine: Engine) -> EndpointSettings:
    """Version 1, as the workspace wants new endpoints to be. Only the function has threads that can be chosen."""
    inference = ports.live_settings.get(InferenceSettings, workspace_id)
    return EndpointSettings(
        capture=Capture(percent=inference.capture_percent),
        log_level=inference.log_level,
        threads=inference.threads if engine.kind is EngineKind.LAMBDA else EndpointSettings().threads,
    )


def list_endpoints(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[EndpointDetail], str | None]:
    """A page of the workspace's endpoints, newest first, without their signatures."""
    found, next_start = records.list_page(ports, Endpoint, principal.workspace_id, limit=limit, start=start)
    return [_with_paths(endpoint, signature=None) for endpoint in found], next_start


def get(ports: Ports, principal: Principal, id_or_name: str) -> Endpoint:
    """One endpoint. Raises NotFoundError."""
    return records.find(ports, Endpoint, principal.workspace_id, id_or_name)


def to_detail(ports: Ports, endpoint: Endpoint) -> EndpointDetail:
    """With the paths to call, the signature of what it serves (or is about to), and the counts of its rollout."""
    model = endpoint.serving or endpoint.candidate
    detail = _with_paths(endpoint, signature=None if model is None else _load_signature(ports, endpoint, model))
    if endpoint.rollout is None:
        return detail
    counts = endpoint_counters.of_rollout(ports, endpoint.workspace_id, endpoint.id, endpoint.rollout.id)
    return detail.model_copy(update={"rollout_counts": counts})


def update(ports: Ports, principal: Principal, id_or_name: str, request: EndpointUpdate, *, revision: int) -> Endpoint:
    """Makes another version the candidate, while what serves now keeps serving until that has proved itself; or shifts
    the share of a rollout, or changes the settings, or the weights of the fusion that serves."""
    endpoint = get(ports, principal, id_or_name)
    records.require_revision(endpoint, revision)
    if request.settings is not None:
        return endpoint_settings.change(ports, principal, endpoint, request.settings)
    if request.percent is not None:
        return rollouts.shift(ports, principal, endpoint, request.percent)
    if request.model is None and request.engine is None:
        weights = None if request.weights is None else endpoint_weights.check(endpoint, request.weights)
        return endpoint_records.save(ports, endpoint, principal=principal, action="weights", weights=weights)
    return _update_model(ports, principal, endpoint, request)


def _update_model(ports: Ports, principal: Principal, endpoint: Endpoint, request: EndpointUpdate) -> Endpoint:
    present, plan = endpoint.serving or endpoint.candidate, request.rollout
    if request.model is not None:
        resolved = _resolve(ports, principal, request.model)
    elif present is not None:
        resolved = present
    else:
        raise ConflictError(f"{endpoint.name!r} serves nothing: name the `model` that is to be served.")
    engine = request.engine or (present.engine if present else Engine())
    candidate = hosting.place(ports, endpoint.workspace_id, endpoint.id, resolved, engine)
    rollouts.check_update(endpoint, candidate, plan)
    endpoint_settings.check(endpoint.name, endpoint.settings, candidate, _load_signature(ports, endpoint, candidate))
    status = EndpointStatus.CREATING if endpoint.serving is None else EndpointStatus.UPDATING
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="updating",
        model=candidate,
        status=status,
        status_reason=None,
        candidate=candidate,
        plan=plan,
    )


def delete(ports: Ports, principal: Principal, id_or_name: str) -> None:
    """Frees the name and the versions that it held."""
    endpoint = get(ports, principal, id_or_name)
    holds = models.hold_writes(
        ports, principal.workspace_id, endpoint.id, before=endpoint_records.held(endpoint), after=()
    )
    try:
        ports.registry.write(
            Delete(key=keys.row(endpoint.workspace_id, Endpoint.resource, endpoint.id), expected=endpoint.revision),
            Delete(key=keys.name_row(endpoint.workspace_id, Endpoint.resource, endpoint.name), expected=1),
            records.audit(ports, principal, "endpoint.delete", endpoint),
            *holds,
        )
    except WriteConflictError as error:
        raise ConflictError(f"The endpoint {endpoint.name!r} changed in this moment. Delete it again.") from error
    endpoint_records.delete_history(ports, endpoint)


def activate(ports: Ports, workspace_id: str, endpoint_id: str) -> Endpoint:
    """Sends the golden request to the candidate, and lets it serve if the answer is right. Idempotent.

    A candidate that needs containers gets them first; while they start it stays what it is. A wrong answer leaves the
    endpoint FAILED, or READY with the version that served before. Raises UnavailableError while the predictions
    function cannot be asked, so that it is tried again.
    """
    endpoint = records.get(ports, Endpoint, workspace_id, endpoint_id)
    if endpoint.candidate is None or endpoint.status not in (EndpointStatus.CREATING, EndpointStatus.UPDATING):
        return endpoint
    fault = hosting.find_fault(ports, workspace_id, endpoint.candidate)
    if fault is None and not hosting.are_ready(ports, endpoint.candidate):
        return _wait_for_containers(ports, endpoint)
    fault = fault or golden_requests.verify(ports, workspace_id, endpoint.candidate)
    try:
        return rollouts.accept(ports, endpoint) if fault is None else reject(ports, endpoint, fault)
    except StaleRevisionError:
        _log.info("endpoint changed while it was verified", extra={"endpoint_id": endpoint_id})
        return records.get(ports, Endpoint, workspace_id, endpoint_id)


def _wait_for_containers(ports: Ports, endpoint: Endpoint) -> Endpoint:
    """Says what is waited for, once."""
    if endpoint.status_reason is not None:
        return endpoint
    try:
        return records.save(ports, endpoint, endpoint.id, status_reason="Its containers are starting.")
    except StaleRevisionError:
        return endpoint


def reject(ports: Ports, endpoint: Endpoint, fault: str) -> Endpoint:
    """Ends the candidate's trial: FAILED where nothing serves, else READY with what serves."""
    _log.warning("endpoint candidate rejected", extra={"endpoint_id": endpoint.id, "reason": fault})
    principal = platform.principal("dispatch", endpoint.workspace_id)
    model = endpoint.candidate
    reason = fault
    if endpoint.serving is not None and model is not None:
        reason = f"The update to {model.ref} failed; {endpoint.serving.ref} still serves. {fault}"
    is_served = endpoint.serving is not None
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="rejected",
        reason=reason,
        model=model,
        status=EndpointStatus.READY if is_served else EndpointStatus.FAILED,
        status_reason=reason,
        candidate=None if is_served else model,
        plan=None,
    )


def _with_paths(endpoint: Endpoint, *, signature: Signature | None) -> EndpointDetail:
    return EndpointDetail(
        **endpoint.model_dump(),
        signature=signature,
        infer_path=f"/v2/models/{endpoint.name}/infer",
        predict_path=f"/v1/endpoints/{endpoint.name}/predict",
    )


def _load_signature(ports: Ports, endpoint: Endpoint, model: ServedModel) -> Signature:
    version = records.get(ports, ModelVersion, endpoint.workspace_id, model.model_id, model.number)
    return models.load_signature(ports, version)


def _resolve(ports: Ports, principal: Principal, reference: str) -> ServedModel:
    name, number = split_ref(reference)
    version = models.get_version(ports, principal, name, number)
    model_approvals.require(ports, version)
    return ServedModel(
        model_id=version.model_id,
        model_name=version.model_name,
        number=version.number,
        digest=version.digest,
        members=endpoint_weights.find_members(ports, version),
    )


def _changed(model: ServedModel) -> ConflictError:
    return ConflictError(f"Version {model.number} of {model.model_name!r} changed in this moment. Try again.")
