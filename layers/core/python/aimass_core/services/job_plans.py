"""What a request for a job comes to: data resolved and checked, defaults filled in, the budget turned into seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from aimass_core.domain.compute import Compute
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.jobs import Budget, JobCreate, ScriptSpec, TrainSpec
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError
from aimass_core.ports import Ports
from aimass_core.services import job_channels, job_sources, prices, records, study_plans
from aimass_core.services.job_channels import Channel

LearningT = TypeVar("LearningT", bound=LearningSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """All that a job is made of. `trainings` are what it may train: one, those of a study's candidates, or none."""

    spec: TrainSpec | SearchSpec | AutotrainSpec | ScriptSpec
    compute: Compute
    channels: Sequence[Channel]
    trainings: Sequence[TrainSpec] = ()
    max_seconds: int
    budget: Budget | None


def resolve(ports: Ports, workspace_id: str, request: JobCreate) -> JobPlan:
    """Raises NotFoundError, ConflictError, InvalidRequestError or InvalidDataError where it cannot be done so."""
    budget = prices.resolve_budget(request)
    spec, compute = request.spec, request.compute
    trainings: Sequence[TrainSpec] = ()
    if isinstance(spec, TrainSpec):
        spec.check()
        spec.check_machines(compute.num_machines)
        trainings = [spec]
    elif isinstance(spec, ScriptSpec):
        _check_script(compute)
    else:
        compute = study_plans.resolve_compute(spec, compute)
    channels = job_channels.resolve(ports, workspace_id, spec)
    if isinstance(spec, ScriptSpec):
        job_sources.require(ports, workspace_id, spec.source)
    else:
        if isinstance(spec, TrainSpec):
            job_channels.check_kind(spec.resolve_algorithm(), channels[0])
        else:
            trainings = study_plans.resolve_trainings(spec, channels[0])
        spec = _complete(ports, workspace_id, spec, channels)
    max_seconds = request.max_seconds if budget is None else min(request.max_seconds, budget.seconds)
    return JobPlan(
        spec=spec, compute=compute, channels=channels, trainings=trainings, max_seconds=max_seconds, budget=budget
    )


def _check_script(compute: Compute) -> None:
    if compute.num_nodes > 1:
        raise InvalidRequestError(
            "A script runs on one node of Batch. Give it a larger one, or several instances of SageMaker, where it is "
            "told of the others (SM_HOSTS).",
            details=[ErrorDetail(location="body.compute.num_nodes", message="must be 1 for a script")],
        )


def _complete(ports: Ports, workspace_id: str, spec: LearningT, channels: Sequence[Channel]) -> LearningT:
    train = channels[0]
    dataset = records.get(ports, Dataset, workspace_id, train.version.dataset_id)
    target = job_channels.resolve_target(spec, train, dataset_target=dataset.target)
    job_channels.check(spec, channels, target=target)
    return spec.model_copy(update={"target": target, "model": spec.model or dataset.name})
