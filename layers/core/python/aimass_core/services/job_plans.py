"""What a request for a job comes to: data resolved and checked, defaults filled in, the budget turned into seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.compute import Compute
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.job_sources import MAX_MODEL_BYTES
from aimass_core.domain.jobs import Budget, JobCreate, ScriptSpec, SubmittedSpec, TrainSpec
from aimass_core.domain.model_imports import ImportSpec
from aimass_core.domain.recipes import PrepareSpec
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError
from aimass_core.ports import Ports
from aimass_core.services import (
    batch_predictions,
    job_channels,
    job_metrics,
    job_models,
    job_sources,
    model_plans,
    preparations,
    prices,
    records,
    study_plans,
)
from aimass_core.services.job_channels import Channel
from aimass_core.services.job_models import GivenModel

LearningT = TypeVar("LearningT", bound=LearningSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """All that a job is made of. `trainings` are what it may train as far as that is known: one, or those of a study's
    candidates."""

    spec: SubmittedSpec
    compute: Compute
    channels: Sequence[Channel]
    models: Sequence[GivenModel] = ()
    trainings: Sequence[TrainSpec] = ()
    max_seconds: int
    budget: Budget | None


def resolve(ports: Ports, workspace_id: str, request: JobCreate) -> JobPlan:
    """Raises NotFoundError, ConflictError, InvalidRequestError or InvalidDataError where it cannot be done so."""
    budget = prices.resolve_budget(request)
    max_seconds = request.max_seconds if budget is None else min(request.max_seconds, budget.seconds)
    spec: SubmittedSpec = request.spec
    compute = _resolve_compute(spec, request.compute)
    models = job_models.resolve(ports, workspace_id, spec)
    trainings: Sequence[TrainSpec] = ()
    channels: Sequence[Channel]
    if isinstance(spec, CompressSpec | FuseSpec):
        spec, channels = model_plans.complete(ports, workspace_id, spec, models)
        job_metrics.check_model_job(spec, models[0].signature.task)
    elif isinstance(spec, ImportSpec):
        job_sources.require(ports, workspace_id, spec.source, max_bytes=MAX_MODEL_BYTES)
        channels = []
    else:
        channels = job_channels.resolve(ports, workspace_id, spec)
        match spec:
            case ScriptSpec():
                job_sources.require(ports, workspace_id, spec.source)
            case PredictSpec():
                spec = batch_predictions.complete(spec, channels[0], models[0])
            case PrepareSpec():
                spec = preparations.complete(spec, channels)
            case TrainSpec():
                job_channels.check_kind(spec.resolve_algorithm(), channels[0])
                trainings = [spec]
                spec = _complete(ports, spec, channels)
            case DecomposeSpec():
                spec = _complete(ports, spec, channels)
                spec = model_plans.complete_decomposition(spec, channels[0], models)
            case _:
                trainings = study_plans.resolve_trainings(spec, channels[0])
                spec = _complete(ports, spec, channels)
    return JobPlan(
        spec=spec,
        compute=compute,
        channels=channels,
        models=models,
        trainings=trainings,
        max_seconds=max_seconds,
        budget=budget,
    )


def _resolve_compute(spec: SubmittedSpec, compute: Compute) -> Compute:
    """The machines; whether several of them can do it is seen before any data are looked for."""
    match spec:
        case TrainSpec():
            spec.check()
            spec.check_machines(compute.num_machines)
        case ScriptSpec():
            _check_script(compute)
        case PrepareSpec() | ImportSpec():
            _check_one_machine(compute)
        case CompressSpec() | FuseSpec() | DecomposeSpec():
            model_plans.check_compute(spec.kind, compute)
        case SearchSpec() | AutotrainSpec() | PredictSpec():
            return study_plans.resolve_compute(spec, compute)
    return compute


def _check_one_machine(compute: Compute) -> None:
    if compute.num_machines > 1:
        raise InvalidRequestError(
            f"It is done on one machine, and compute asks for {compute.num_machines}. Leave num_nodes and "
            "instance_count out.",
            details=[ErrorDetail(location="body.compute", message="must be one machine")],
        )


def _check_script(compute: Compute) -> None:
    if compute.num_nodes > 1:
        raise InvalidRequestError(
            "A script runs on one node of Batch. Give it a larger one, or several instances of SageMaker, where it is "
            "told of the others (SM_HOSTS).",
            details=[ErrorDetail(location="body.compute.num_nodes", message="must be 1 for a script")],
        )


def _complete(ports: Ports, spec: LearningT, channels: Sequence[Channel]) -> LearningT:
    train = channels[0]
    dataset = records.get(ports, Dataset, train.version.workspace_id, train.version.dataset_id)
    target = job_channels.resolve_target(spec, train, dataset_target=dataset.target)
    job_channels.check(spec, channels, target=target)
    completed = spec.model_copy(update={"target": target, "model": spec.model or dataset.name})
    job_metrics.check(completed, train)
    return completed
