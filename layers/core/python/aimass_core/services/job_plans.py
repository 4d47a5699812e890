"""What a request for a job comes to: data resolved and checked, defaults filled in, the budget turned into seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from aimass_core.domain.datasets import Dataset
from aimass_core.domain.jobs import Budget, JobCreate, ScriptSpec, TrainSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError
from aimass_core.ports import Ports
from aimass_core.services import job_channels, job_sources, prices, records
from aimass_core.services.job_channels import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """All that a job is made of."""

    spec: TrainSpec | ScriptSpec
    channels: Sequence[Channel]
    max_seconds: int
    budget: Budget | None


def resolve(ports: Ports, workspace_id: str, request: JobCreate) -> JobPlan:
    """Raises NotFoundError, ConflictError, InvalidRequestError or InvalidDataError where it cannot be done so."""
    budget = prices.resolve_budget(request)
    spec = request.spec
    if isinstance(spec, TrainSpec):
        spec.check()
        spec.check_machines(request.compute.num_machines)
    elif request.compute.num_nodes > 1:
        raise InvalidRequestError(
            "A script runs on one node of Batch. Give it a larger one, or several instances of SageMaker, where it is "
            "told of the others (SM_HOSTS).",
            details=[ErrorDetail(location="body.compute.num_nodes", message="must be 1 for a script")],
        )
    channels = job_channels.resolve(ports, workspace_id, spec)
    if isinstance(spec, ScriptSpec):
        job_sources.require(ports, workspace_id, spec.source)
    else:
        spec = _complete(ports, workspace_id, spec, channels)
    max_seconds = request.max_seconds if budget is None else min(request.max_seconds, budget.seconds)
    return JobPlan(spec=spec, channels=channels, max_seconds=max_seconds, budget=budget)


def _complete(ports: Ports, workspace_id: str, spec: TrainSpec, channels: Sequence[Channel]) -> TrainSpec:
    train = channels[0]
    dataset = records.get(ports, Dataset, workspace_id, train.version.dataset_id)
    target = job_channels.resolve_target(spec, train, dataset_target=dataset.target)
    job_channels.check(spec, channels, target=target)
    return spec.model_copy(update={"target": target, "model": spec.model or dataset.name})
