"""Endpoints: a name that serves one verified model version, and takes the next one only once it has proved itself."""

import logging
from typing import Any

from pydantic import ValidationError

from aimass_core.domain import goldens, keys
from aimass_core.domain.common import Principal, split_ref
from aimass_core.domain.endpoints import (
    Endpoint,
    EndpointCreate,
    EndpointDetail,
    EndpointStatus,
    EndpointUpdate,
    ServedModel,
)
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.signatures import Golden, Signature
from aimass_core.errors import ConflictError, InternalError, StaleRevisionError
from aimass_core.ports import BlobNotFoundError, Delete, Ports, WriteConflictError
from aimass_core.services import endpoint_weights, models, platform, records

_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, request: EndpointCreate) -> Endpoint:
    """Names an endpoint for a model version; it is READY once the golden request has given the golden answer."""
    candidate = _resolve(ports, principal, request.model)
    name = request.name or candidate.model_name
    endpoint = Endpoint(
        **records.new_fields(ports, principal, Endpoint), name=name, status=EndpointStatus.CREATING, candidate=candidate
    )
    holds = models.hold_writes(ports, principal.workspace_id, endpoint.id, before=(), after=_held(endpoint))
    try:
        return records.create(ports, principal, endpoint, name=name, also=holds)
    except WriteConflictError as error:
        raise _changed(candidate) from error


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
    """An endpoint with the paths to call and the signature of what it serves (or is about to)."""
    model = endpoint.serving or endpoint.candidate
    signature = None
    if model is not None:
        version = records.get(ports, ModelVersion, endpoint.workspace_id, model.model_id, model.number)
        signature = models.load_signature(ports, version)
    return _with_paths(endpoint, signature=signature)


def update(ports: Ports, principal: Principal, id_or_name: str, request: EndpointUpdate, *, revision: int) -> Endpoint:
    """Makes another version the candidate, while what serves now keeps serving until that has proved itself; or changes
    the weights of the fusion that serves."""
    endpoint = get(ports, principal, id_or_name)
    records.require_revision(endpoint, revision)
    if request.model is None:
        weights = None if request.weights is None else endpoint_weights.check(endpoint, request.weights)
        return _save(ports, endpoint, principal=principal, weights=weights)
    candidate = _resolve(ports, principal, request.model)
    status = EndpointStatus.CREATING if endpoint.serving is None else EndpointStatus.UPDATING
    return _save(ports, endpoint, principal=principal, status=status, status_reason=None, candidate=candidate)


def delete(ports: Ports, principal: Principal, id_or_name: str) -> None:
    """Frees the name and the versions that it held."""
    endpoint = get(ports, principal, id_or_name)
    holds = models.hold_writes(ports, principal.workspace_id, endpoint.id, before=_held(endpoint), after=())
    try:
        ports.registry.write(
            Delete(key=keys.row(endpoint.workspace_id, Endpoint.resource, endpoint.id), expected=endpoint.revision),
            Delete(key=keys.name_row(endpoint.workspace_id, Endpoint.resource, endpoint.name), expected=1),
            records.audit(ports, principal, "endpoint.delete", endpoint),
            *holds,
        )
    except WriteConflictError as error:
        raise ConflictError(f"The endpoint {endpoint.name!r} changed in this moment. Delete it again.") from error


def activate(ports: Ports, workspace_id: str, endpoint_id: str) -> Endpoint:
    """Sends the golden request to the candidate, and lets it serve if the answer is right. Idempotent.

    A wrong answer leaves the endpoint FAILED, or READY with the version that served before. Raises UnavailableError
    while the predictions function cannot be asked, so that it is tried again.
    """
    endpoint = records.get(ports, Endpoint, workspace_id, endpoint_id)
    if endpoint.candidate is None or endpoint.status not in (EndpointStatus.CREATING, EndpointStatus.UPDATING):
        return endpoint
    fault = _verify(ports, workspace_id, endpoint.candidate)
    try:
        return _accept(ports, endpoint) if fault is None else reject(ports, endpoint, fault)
    except StaleRevisionError:
        _log.info("endpoint changed while it was verified", extra={"endpoint_id": endpoint_id})
        return records.get(ports, Endpoint, workspace_id, endpoint_id)


def reject(ports: Ports, endpoint: Endpoint, fault: str) -> Endpoint:
    """Ends the candidate's trial: FAILED where nothing serves, else READY with what serves."""
    _log.warning("endpoint candidate rejected", extra={"endpoint_id": endpoint.id, "reason": fault})
    principal = platform.principal("dispatch", endpoint.workspace_id)
    if endpoint.serving is None:
        return _save(ports, endpoint, principal=principal, status=EndpointStatus.FAILED, status_reason=fault)
    model = endpoint.candidate
    reason = (
        f"The update to {model.model_name}@{model.number} failed; {endpoint.serving.model_name}"
        f"@{endpoint.serving.number} still serves. {fault}"
        if model
        else fault
    )
    return _save(
        ports, endpoint, principal=principal, status=EndpointStatus.READY, status_reason=reason, candidate=None
    )


def _accept(ports: Ports, endpoint: Endpoint) -> Endpoint:
    return _save(
        ports,
        endpoint,
        principal=platform.principal("dispatch", endpoint.workspace_id),
        status=EndpointStatus.READY,
        status_reason=None,
        serving=endpoint.candidate,
        candidate=None,
        weights=None,
    )


def _save(ports: Ports, endpoint: Endpoint, *, principal: Principal, **changes: Any) -> Endpoint:
    """Saves an endpoint together with its holds on model versions."""
    holds = models.hold_writes(
        ports,
        endpoint.workspace_id,
        endpoint.id,
        before=_held(endpoint),
        after=_held(endpoint.model_copy(update=changes)),
    )
    try:
        return records.save(ports, endpoint, endpoint.id, principal=principal, also=holds, **changes)
    except WriteConflictError as error:
        raise ConflictError(f"A model version of {endpoint.name!r} changed in this moment. Try again.") from error


def _held(endpoint: Endpoint) -> list[models.VersionKey]:
    """A fusion whose members are served apart cannot do without them."""
    held: list[models.VersionKey] = []
    for model in (endpoint.serving, endpoint.candidate):
        if model is not None:
            held.append(models.VersionKey(model.model_id, model.number))
            held += [models.VersionKey(member.model_id, member.number) for member in model.members]
    return held


def _with_paths(endpoint: Endpoint, *, signature: Signature | None) -> EndpointDetail:
    return EndpointDetail(
        **endpoint.model_dump(),
        signature=signature,
        infer_path=f"/v2/models/{endpoint.name}/infer",
        predict_path=f"/v1/endpoints/{endpoint.name}/predict",
    )


def _resolve(ports: Ports, principal: Principal, reference: str) -> ServedModel:
    name, number = split_ref(reference)
    version = models.get_version(ports, principal, name, number)
    return ServedModel(
        model_id=version.model_id,
        model_name=version.model_name,
        number=version.number,
        digest=version.digest,
        members=endpoint_weights.find_members(ports, version),
    )


def _changed(model: ServedModel) -> ConflictError:
    return ConflictError(f"Version {model.number} of {model.model_name!r} changed in this moment. Try again.")


# --- verification ----------------------------------------------------------------------------------------------------


def _verify(ports: Ports, workspace_id: str, model: ServedModel) -> str | None:
    """Why the candidate may not serve; None where it gave the golden answer."""
    key = keys.model_object(workspace_id, model.model_id, model.number, ArtifactName.GOLDEN)
    try:
        golden = Golden.model_validate_json(ports.lake.get(key))
    except (BlobNotFoundError, ValidationError):
        return f"The golden request of {model.model_name}@{model.number} is missing or damaged. Train it again."
    payload = {
        "workspace_id": workspace_id,
        "model_id": model.model_id,
        "number": model.number,
        "digest": model.digest,
        "inputs": golden.inputs,
    }
    try:
        answer = ports.predictor.predict(payload)
    except InternalError as error:
        return f"The golden request failed: {error.message}"
    if "error" in answer:
        told = answer["error"]
        return f"The golden request failed: {told.get('message', 'no message')} ({told.get('code', 'no code')})."
    fault = goldens.find_difference(golden, answer.get("outputs", {}))
    return None if fault is None else f"The golden request gave another answer than in training: {fault}."
