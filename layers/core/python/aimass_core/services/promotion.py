"""Whether a new model may take an endpoint over: the score gate of continuous training."""

from dataclasses import dataclass

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus, EndpointUpdate, ServedModel
from aimass_core.domain.jobs import ModelRef
from aimass_core.domain.metrics import LOWER_IS_BETTER
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.triggers import Deployment, Gate, RunStatus
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import endpoints, model_approvals, records

_CHANNELS = ("test", "validation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What became of a model, and why."""

    status: RunStatus
    reason: str | None
    endpoint_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    value: float
    channel: str


def promote(ports: Ports, principal: Principal, wanted: Deployment, ref: ModelRef) -> Promotion:
    """Makes the model the candidate of its endpoint where the gate lets it through. Idempotent.

    Raises UnavailableError and the like where it is worth trying again.
    """
    version = records.get(ports, ModelVersion, principal.workspace_id, ref.model_id, ref.number)
    endpoint = _find_endpoint(ports, principal, wanted.endpoint or ref.model_name)
    if endpoint is not None and _is_there(endpoint, ref):
        return Promotion(status=RunStatus.PROMOTED, reason=_words(ref, endpoint), endpoint_id=endpoint.id)
    serving = None if endpoint is None else endpoint.serving or endpoint.candidate
    held = check(wanted.gate, version, None if serving is None else _load(ports, principal, serving))
    held = held or model_approvals.find_missing(ports, version)
    if held is not None:
        return Promotion(status=RunStatus.HELD, reason=held, endpoint_id=None if endpoint is None else endpoint.id)
    model = f"{ref.model_name}@{ref.number}"
    if endpoint is None:
        made = endpoints.create(ports, principal, EndpointCreate(name=wanted.endpoint, model=model))
    elif endpoint.status in (EndpointStatus.CREATING, EndpointStatus.UPDATING, EndpointStatus.ROLLING_OUT):
        raise ConflictError(f"The endpoint {endpoint.name!r} is being changed. Try again.")
    else:
        update = EndpointUpdate(model=model, rollout=wanted.rollout if endpoint.serving else None)
        made = endpoints.update(ports, principal, endpoint.id, update, revision=endpoint.revision)
    return Promotion(status=RunStatus.PROMOTED, reason=_words(ref, made), endpoint_id=made.id)


def check(gate: Gate, version: ModelVersion, serving: ModelVersion | None) -> str | None:
    """Why the model may not be deployed; None where it may."""
    metric = gate.metric or version.primary_metric
    score = _score(version, metric)
    if score is None:
        return f"{version.model_name}@{version.number} has no metric {metric!r}. It has: {_listed(version)}."
    is_lower = metric in LOWER_IS_BETTER
    if gate.worst is not None and (score.value > gate.worst if is_lower else score.value < gate.worst):
        limit = "at most" if is_lower else "at least"
        return f"Its {metric} is {score.value:.6g} ({score.channel}), and {limit} {gate.worst:g} is wanted."
    if gate.min_gain is None or serving is None:
        return None
    former = _score(serving, metric, channel=score.channel)
    if former is None:
        return (
            f"It cannot be compared with {serving.model_name}@{serving.number}, which has no {metric} of a channel "
            f"{score.channel!r}. Give both a test dataset, or set min_gain to null."
        )
    gain = former.value - score.value if is_lower else score.value - former.value
    if gain >= gate.min_gain:
        return None
    return (
        f"Its {metric} is {score.value:.6g}, that of {serving.model_name}@{serving.number}, which is served, "
        f"{former.value:.6g} ({score.channel}{_caution(version, serving, score.channel)}): a gain of {gain:.3g}, and "
        f"{gate.min_gain:g} is wanted."
    )


def _score(version: ModelVersion, metric: str, *, channel: str | None = None) -> _Score | None:
    """Of the test rows, where there are some, else of those that validate."""
    for name in _CHANNELS if channel is None else (channel,):
        value = version.metrics.get(f"{name}/{metric}")
        if value is not None:
            return _Score(value=value, channel=name)
    return None


def _caution(version: ModelVersion, serving: ModelVersion, channel: str) -> str:
    pins = [each.datasets.get(channel) for each in (version, serving)]
    is_same = pins[0] is not None and pins[1] is not None and pins[0].digest == pins[1].digest
    return "" if is_same else ", each of rows of its own"


def _find_endpoint(ports: Ports, principal: Principal, name: str) -> Endpoint | None:
    try:
        return endpoints.get(ports, principal, name)
    except NotFoundError:
        return None


def _is_there(endpoint: Endpoint, ref: ModelRef) -> bool:
    rolling = endpoint.rollout.model if endpoint.rollout else None
    served = [model for model in (endpoint.serving, endpoint.candidate, rolling) if model is not None]
    return any((model.model_id, model.number) == (ref.model_id, ref.number) for model in served)


def _load(ports: Ports, principal: Principal, model: ServedModel) -> ModelVersion:
    return records.get(ports, ModelVersion, principal.workspace_id, model.model_id, model.number)


def _words(ref: ModelRef, endpoint: Endpoint) -> str:
    return f"{ref.model_name}@{ref.number} was given to the endpoint {endpoint.name!r}."


def _listed(version: ModelVersion) -> str:
    return ", ".join(sorted({name.rpartition("/")[2] for name in version.metrics})) or "none"
