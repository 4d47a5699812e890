"""What a request for a study comes to: which trainings its trials are, and how many machines carry them out."""

from collections.abc import Sequence

from aimass_core.domain import search_spaces
from aimass_core.domain.algorithms import registry
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.compute import Backend, Compute
from aimass_core.domain.study_specs import AutotrainSpec, Candidate, SamplerName, SearchSpec, StudySpec
from aimass_core.domain.training import LearningSpec, TrainSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError
from aimass_core.services import job_channels
from aimass_core.services.job_channels import Channel

_OF_SPEC = "body.spec."


def resolve_compute(spec: StudySpec | PredictSpec, compute: Compute) -> Compute:
    """The compute that has as many machines as there are workers. Raises InvalidRequestError where it asks for others.

    On Batch a worker is a container of its own, wherever there is room; on SageMaker a machine.
    """
    if compute.backend is Backend.BATCH:
        if compute.num_nodes > 1:
            raise _refuse(
                "body.compute.num_nodes",
                f"Nodes train one model together, and num_nodes is {compute.num_nodes}. For workers side by side leave "
                "it out and set num_workers in the spec.",
            )
        return compute
    if compute.instance_count not in (1, spec.num_workers):
        raise _refuse(
            "body.compute.instance_count",
            f"Each worker has an instance of its own: there are {spec.num_workers} workers, and instance_count is "
            f"{compute.instance_count}. Leave it out and set num_workers in the spec.",
        )
    most = next(each.le for each in Compute.model_fields["instance_count"].metadata if hasattr(each, "le"))
    if spec.num_workers > most:
        raise _refuse(
            f"{_OF_SPEC}num_workers",
            f"SageMaker has at most {most} instances in a job, and num_workers is {spec.num_workers}. Take fewer, or "
            "Batch.",
        )
    return compute.model_copy(update={"instance_count": spec.num_workers})


def resolve_trainings(spec: SearchSpec | AutotrainSpec, train: Channel) -> list[TrainSpec]:
    """What each candidate trains without what is searched. Raises InvalidRequestError and InvalidDataError."""
    if isinstance(spec, SearchSpec):
        _check_names(spec.candidates)
        trainings = [
            _resolve_candidate(spec, candidate, train, location=f"candidates.{index}", has_space=True)
            for index, candidate in enumerate(spec.candidates)
        ]
        if spec.sampler is SamplerName.GRID:
            search_spaces.check_grid(spec.candidates)
        return trainings
    if spec.algorithms is not None:
        return [
            _resolve_candidate(spec, Candidate(algorithm=name), train, location=f"algorithms.{index}")
            for index, name in enumerate(spec.algorithms)
        ]
    return _resolve_fitting(spec, train)


def _resolve_fitting(spec: AutotrainSpec, train: Channel) -> list[TrainSpec]:
    """Those of all algorithms that can do it."""
    found, faults = [], []
    for name in registry.fitting(train.schema.kind):
        try:
            found.append(_resolve_candidate(spec, Candidate(algorithm=name), train, location="algorithms"))
        except InvalidRequestError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    return found


def _check_names(candidates: Sequence[Candidate]) -> None:
    names = [candidate.name for candidate in candidates]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        index = len(names) - 1 - names[::-1].index(twice)
        raise _refuse(
            f"{_OF_SPEC}candidates.{index}",
            f"Two candidates are {twice!r}. Put what they fix and search into one, or give them different frameworks.",
        )


def _resolve_candidate(
    spec: SearchSpec | AutotrainSpec, candidate: Candidate, train: Channel, *, location: str, has_space: bool = False
) -> TrainSpec:
    """Faults are told where the caller wrote them: in the candidate, or in the study where the field is the study's."""
    training = candidate.to_train_spec(spec, {})
    try:
        training.check()
        job_channels.check_kind(training.resolve_algorithm(), train)
        if has_space:
            search_spaces.check_space(
                candidate.resolve_algorithm(),
                candidate.resolve_framework(),
                candidate.space,
                fixed=search_spaces.fixed_values(candidate),
                location=f"{_OF_SPEC}space",
            )
    except InvalidRequestError as error:
        raise relocate(error, spec, location=location) from error
    return training


def relocate(error: InvalidRequestError, spec: LearningSpec, *, location: str) -> InvalidRequestError:
    """The error of a training that is a part of a job, told of the part, unless the field is the job's own."""
    details = [_relocate(detail, spec, location=location) for detail in error.details]
    return type(error)(error.message, details=details)


def _relocate(detail: ErrorDetail, spec: LearningSpec, *, location: str) -> ErrorDetail:
    field = detail.location.removeprefix(_OF_SPEC)
    if field == detail.location or field.partition(".")[0] in type(spec).model_fields:
        return detail
    return ErrorDetail(location=f"{_OF_SPEC}{location}.{field}", message=detail.message)


def _refuse(location: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=location, message=message)])
