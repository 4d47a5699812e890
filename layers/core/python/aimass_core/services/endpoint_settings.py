"""Live parameters of endpoints: checked against what serves, changed, and brought back."""

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_settings import EndpointSettings, EndpointSettingsChange, FanOut
from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.engines import EngineKind
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import ErrorDetail, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_records, models, records

_HISTORY_PAGE = 100


def change(ports: Ports, principal: Principal, endpoint: Endpoint, request: EndpointSettingsChange) -> Endpoint:
    """Applies a change; it holds within seconds. Raises InvalidRequestError where what serves cannot have it."""
    return _save(ports, principal, endpoint, request.apply(endpoint.settings), reason=None)


def revert(ports: Ports, principal: Principal, endpoint: Endpoint, *, version: int | None) -> Endpoint:
    """Brings back a former version of the settings (None: the one before the present), as a new version.

    Raises NotFoundError where there was none.
    """
    wanted = endpoint.settings.version - 1 if version is None else version
    former = _find(ports, endpoint, wanted)
    if former is None:
        raise NotFoundError(
            f"The settings of {endpoint.name!r} are at version {endpoint.settings.version}; there is no version "
            f"{wanted} to go back to."
        )
    restored = former.model_copy(update={"version": endpoint.settings.version + 1})
    return _save(ports, principal, endpoint, restored, reason=f"Settings as in version {wanted}.")


def check(name: str, settings: EndpointSettings, model: ServedModel, signature: Signature) -> None:
    """Raises InvalidRequestError where a model cannot be served with these settings."""
    task = signature.task
    if settings.threshold is not None and task not in (Task.BINARY, Task.MULTILABEL):
        raise _refuse(
            "threshold",
            f"{name!r} has a threshold of {settings.threshold:g}, and {model.ref} is a {task} model: only labels of "
            "binary and multi-label models have one. Set threshold to null first.",
        )
    kind = model.engine.kind
    if settings.batching is not None and kind is not EngineKind.CONTAINER:
        raise _refuse(
            "batching",
            f"{name!r} has settings of batching, and {model.ref} runs on the engine {kind}, where each request is "
            "answered for itself. Change the engine to container, or set batching to null first.",
        )
    if settings.threads != EndpointSettings().threads and kind is not EngineKind.LAMBDA:
        raise _refuse(
            "threads",
            f"{name!r} has {settings.threads} threads, and {model.ref} runs on the engine {kind}, whose containers and "
            "invocations have as many as their machines. Change the engine to lambda, or set threads to null first.",
        )
    if settings.warm and kind is not EngineKind.LAMBDA:
        raise _refuse(
            "warm",
            f"{name!r} is kept warm, and {model.ref} runs on the engine {kind}, not in the function that is asked. "
            "Change the engine to lambda, or set warm to null first.",
        )
    if settings.fan_out != FanOut() and kind is not EngineKind.DISTRIBUTED:
        raise _refuse(
            "fan_out",
            f"{name!r} has settings of fan_out, and {model.ref} runs on the engine {kind}, where nothing fans out. "
            "Change the engine to distributed, or set fan_out to null first.",
        )


def _save(
    ports: Ports, principal: Principal, endpoint: Endpoint, settings: EndpointSettings, *, reason: str | None
) -> Endpoint:
    rolling = endpoint.rollout.model if endpoint.rollout else None
    for model in (endpoint.serving, endpoint.candidate, rolling):
        if model is not None:
            version = records.get(ports, ModelVersion, endpoint.workspace_id, model.model_id, model.number)
            check(endpoint.name, settings, model, models.load_signature(ports, version))
    if settings == endpoint.settings:
        return endpoint
    return endpoint_records.save(
        ports, endpoint, principal=principal, action="settings", reason=reason, settings=settings
    )


def _find(ports: Ports, endpoint: Endpoint, version: int) -> EndpointSettings | None:
    start: str | None = None
    while True:
        events, start = endpoint_records.list_history(ports, endpoint, limit=_HISTORY_PAGE, start=start)
        found = next((event.settings for event in events if event.settings.version == version), None)
        if found is not None or start is None:
            return found


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.settings.{field}", message=message)])
