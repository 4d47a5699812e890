"""What a request to compress, fuse or decompose comes to: models and data held against each other and the methods."""

from collections.abc import Sequence
from typing import Any, TypeVar

from aimass_core.domain.compute import Compute
from aimass_core.domain.decomposition import DecomposeSpec, DecompositionMethod, PartSpec
from aimass_core.domain.fusion import FuseSpec, FusionMethod
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.jobs import Job
from aimass_core.domain.model_jobs import ModelJobSpec
from aimass_core.domain.signatures import Signature, Task
from aimass_core.domain.training import LearningSpec, TrainSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import job_channels, model_data, records, study_plans
from aimass_core.services.job_channels import Channel
from aimass_core.services.job_models import GivenModel

SpecT = TypeVar("SpecT", bound=ModelJobSpec)

_OF_LABELS = frozenset({FusionMethod.HARD_VOTING, FusionMethod.SOFT_VOTING})
_OF_VALUES = frozenset({FusionMethod.BLENDING})
_BY_CLASSES = frozenset(
    {DecompositionMethod.HIERARCHY, DecompositionMethod.ONE_VS_REST, DecompositionMethod.OUTPUT_CODES}
)
_OF_CLASSES = _BY_CLASSES | {DecompositionMethod.CASCADE}
_WITH_GATE = frozenset(
    {
        DecompositionMethod.HIERARCHY,
        DecompositionMethod.CLUSTERS,
        DecompositionMethod.TREE,
        DecompositionMethod.MIXTURE,
    }
)
_TRAINABLE = frozenset({JobKind.TRAIN, JobKind.SEARCH, JobKind.AUTOTRAIN})
_MAX_TOLD = 80


def check_compute(kind: JobKind, compute: Compute) -> None:
    """Raises InvalidRequestError where several machines are asked for."""
    if compute.num_machines > 1:
        message = f"A {kind} job runs on one machine, and {compute.num_machines} are asked for. Give it a larger one."
        raise InvalidRequestError(message, details=[ErrorDetail(location="body.compute", message=message)])


def complete(
    ports: Ports, workspace_id: str, spec: SpecT, models: Sequence[GivenModel]
) -> tuple[SpecT, Sequence[Channel]]:
    """A compress or fuse job as it is to be run, with explicit versions, its data and the new model's name.

    Raises what `model_data.resolve` raises, and InvalidRequestError where members or methods do not fit.
    """
    for model in models:
        if model.signature.task is Task.CUSTOM:
            raise model.refuse(
                f"{model.name} is a custom model: what its outputs mean is not known, so nothing can judge it. Leave a "
                "signature.json that tells its task beside it."
            )
    changes: dict[str, Any] = {"parent": models[0].name}
    if isinstance(spec, FuseSpec):
        _check_members(models)
        _check_fusion(ports, workspace_id, spec, models)
        trained_with = [model_data.find_training(ports, workspace_id, model) for model in models]
        changes = {"members": [model.name for model in models], "member_data": trained_with}
    data, channels = model_data.resolve(ports, workspace_id, spec, models)
    changes |= {"data": data, "model": spec.model or models[0].version.model_name}
    return spec.model_copy(update=changes), channels


def complete_decomposition(spec: DecomposeSpec, train: Channel, models: Sequence[GivenModel]) -> DecomposeSpec:
    """A decompose job whose target is known, with the explicit version of the single model.

    Raises InvalidRequestError or InvalidDataError where its methods and parts do not fit its data, or the single model
    does not.
    """
    spec.check_forecast()
    task = Task.FORECASTING if spec.horizon else spec.resolve_task()
    for single in models:
        _check_single(spec, single, train, task)
        task = single.signature.task
    _check_split(spec, task)
    for name, part in (("expert", spec.expert), ("gate", spec.gate)):
        if part is not None:
            _check_part(spec, part, train, name=name)
    return spec.model_copy(update={"single": models[0].name}) if models else spec


def _check_members(models: Sequence[GivenModel]) -> None:
    """Raises InvalidRequestError unless all answer the same question in the same form, and read columns alike."""
    first = models[0]
    readers: dict[str, tuple[str, str]] = {}
    for model in models:
        if differences := _differences(model.signature, first.signature):
            raise model.refuse(
                f"{model.name} cannot be fused with {first.name}: {'; '.join(differences)}. Fuse models that answer "
                "the same question in the same form."
            )
        for spec in model.signature.inputs:
            kind = f"{spec.column_type}"
            known, reader = readers.setdefault(spec.column or spec.name, (kind, model.name))
            if known != kind:
                raise model.refuse(
                    f"{model.name} reads the column {spec.column!r} as {kind}, and {reader} reads it as {known}. Fuse "
                    "models that were trained with the same columns."
                )


def _differences(signature: Signature, first: Signature) -> list[str]:
    """In what one answers otherwise than the first."""
    horizon, window = model_data.forecast_of(signature)
    first_horizon, first_window = model_data.forecast_of(first)
    pairs = {
        "kind": (signature.kind, first.kind),
        "task": (signature.task, first.task),
        "target": (signature.target, first.target),
        "labels": (signature.labels, first.labels),
        "image_shape": (signature.image_shape, first.image_shape),
        "horizon": (horizon, first_horizon),
        "window": (window, first_window),
    }
    return [
        f"its {name} {_tell(own)} instead of {_tell(other)}" for name, (own, other) in pairs.items() if own != other
    ]


def _check_fusion(ports: Ports, workspace_id: str, spec: FuseSpec, models: Sequence[GivenModel]) -> None:
    task = models[0].signature.task
    if spec.member_data:
        raise _refuse("member_data", "What members were trained with is found out from their jobs. Leave it out.")
    if not task.is_classification and spec.method in _OF_LABELS:
        raise _refuse("method", f"{spec.method} is for labels, and these models are of the task {task}.")
    if task.is_classification and spec.method in _OF_VALUES:
        raise _refuse("method", f"{spec.method} is for values, and these models are of the task {task}.")
    if spec.out_of_fold is None:
        return
    if task is Task.FORECASTING:
        raise _refuse("out_of_fold", "Folds would train on what comes after the rows that judge. Leave it out.")
    for model in models:
        kind = _kind_of_maker(ports, workspace_id, model)
        if kind not in _TRAINABLE:
            made_by = "is not known any more how it was made" if kind is None else f"was made by a {kind} job"
            raise model.refuse(
                f"{model.name} cannot be trained again in folds: it {made_by}. Leave out_of_fold away, or fuse models "
                "that were trained."
            )


def _kind_of_maker(ports: Ports, workspace_id: str, model: GivenModel) -> JobKind | None:
    try:
        return records.get(ports, Job, workspace_id, model.version.job_id).kind
    except NotFoundError:
        return None


def _check_single(spec: DecomposeSpec, single: GivenModel, train: Channel, task: Task | None) -> None:
    signature, place = single.signature, "body.spec"
    if task not in (None, signature.task):
        raise single.refuse(
            f"{single.name} is a {signature.task} model, and the task is {task}. Compare like with like."
        )
    listed = spec.target if isinstance(spec.target, list) else [spec.target]
    if signature.target not in listed and signature.labels != listed:
        raise single.refuse(
            f"{single.name} answers {signature.target!r}, and the target is {', '.join(map(repr, listed))}. Compare "
            "with a model of the same target."
        )
    model_data.check_reads(single, train, location=single.location)
    model_data.check_forecast(single, spec, location=place)


def _check_split(spec: DecomposeSpec, task: Task | None) -> None:
    """The method against the task, and the numbers of experts against the method."""
    method = spec.method
    if method in _OF_CLASSES and task is not None and not task.is_classification:
        raise _refuse("method", f"{method} is for tasks of classes, and the task is {task}, which has none.")
    if method in _BY_CLASSES and task is Task.BINARY:
        raise _refuse("method", f"{method} splits the classes among experts, and there are but two. Split by region.")
    if method is DecompositionMethod.COMPONENTS and spec.horizon is None:
        raise _refuse("method", f"{method} (trend, season, residual) are those of forecasts: give a horizon.")
    if spec.num_active is None or spec.num_active == 1:
        return
    if method is not None and method not in _WITH_GATE:
        raise _refuse(
            "num_active",
            f"num_active is for methods with a gate ({', '.join(sorted(_WITH_GATE))}), not for {method}: it has none.",
        )
    if spec.num_experts is not None and spec.num_active > spec.num_experts:
        raise _refuse(
            "num_active", f"A row is given to {spec.num_active} experts, and there are but {spec.num_experts}."
        )


def _check_part(spec: DecomposeSpec, part: PartSpec, train: Channel, *, name: str) -> None:
    """As a training of its own would be checked. A gate chooses one of several experts, whatever the task."""
    learning = {field: getattr(spec, field) for field in LearningSpec.model_fields}
    if name == "gate":
        learning |= {"task": Task.MULTICLASS, "target": None, "horizon": None, "window": None, "time_column": None}
    training = TrainSpec.model_validate({**learning, **part.model_dump()})
    try:
        training.check()
        job_channels.check_kind(training.resolve_algorithm(), train)
    except InvalidRequestError as error:
        raise study_plans.relocate(error, spec, location=name) from error


def _tell(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_TOLD else f"{text[:_MAX_TOLD]}..."


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.spec.{field}", message=message)])
