"""The bodies of requests for jobs, from what a caller of the SDK says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aimass.binding import to_request
from aimass.resources.datasets import Dataset, DatasetVersion
from aimass.resources.models import Model, ModelVersion
from aimass_core.domain.compute import Compute
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.jobs import JobCreate, ModelRef
from aimass_core.domain.recipes import Recipe
from aimass_core.domain.study_specs import Candidate, Objective
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import ErrorDetail, InvalidRequestError

if TYPE_CHECKING:
    from aimass.resources.jobs import Job

DatasetRef = str | Dataset | DatasetVersion
ModelLike = str | Model | ModelVersion | ModelRef
RecipeLike = Recipe | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A recipe, what its file says, or its steps."""
DataLike = DatasetRef | LearningSpec | Mapping[str, Any]

_COMPUTE = tuple(Compute.model_fields)
_CHANNELS = ("validation", "test")
# What a study says of each of its candidates.
_OF_CANDIDATES = tuple(name for name in Candidate.model_fields if name != "algorithm")


def to_train(
    dataset: DatasetRef, *, algorithm: str, hyperparameters: Mapping[str, Any] | None = None, **options: Any
) -> JobCreate:
    """A training."""
    spec = {"algorithm": algorithm, **({"hyperparameters": dict(hyperparameters)} if hyperparameters else {})}
    return _to_request(JobKind.TRAIN, {"dataset": to_ref(dataset), **spec}, options)


def to_search(
    dataset: DatasetRef,
    *,
    algorithm: str | None = None,
    candidates: Sequence[str | Candidate | Mapping[str, Any]] | None = None,
    objectives: Sequence[str | Objective | Mapping[str, Any]] | None = None,
    **options: Any,
) -> JobCreate:
    """A search over one algorithm, or over several candidates."""
    of_one = {name: options.pop(name) for name in _OF_CANDIDATES if name in options}
    given = chosen(**{name: _to_recipes(value) if name == "features" else value for name, value in of_one.items()})
    if (algorithm is None) == (not candidates):
        raise _refuse("candidates", "Name either one algorithm or several candidates.")
    if candidates and given:
        raise _refuse("candidates", f"{', '.join(given)}: of several candidates each has its own; say it there.")
    spec = {
        "dataset": to_ref(dataset),
        "candidates": [_named("algorithm", found) for found in candidates or [{"algorithm": algorithm, **given}]],
        **({"objectives": [_named("metric", found) for found in objectives]} if objectives else {}),
    }
    return _to_request(JobKind.SEARCH, spec, options)


def to_autotrain(dataset: DatasetRef, **options: Any) -> JobCreate:
    """Everything that fits the data."""
    return _to_request(JobKind.AUTOTRAIN, {"dataset": to_ref(dataset)}, options)


def to_compress(parent: ModelLike, *, data: DataLike | None = None, **options: Any) -> JobCreate:
    """A smaller and faster model."""
    spec = {"parent": to_model_ref(parent), **chosen(data=_to_data(data))}
    return _to_request(JobKind.COMPRESS, spec, options)


def to_fuse(members: Sequence[ModelLike], *, data: DataLike | None = None, **options: Any) -> JobCreate:
    """Several models as one."""
    spec = {"members": [to_model_ref(member) for member in members], **chosen(data=_to_data(data))}
    return _to_request(JobKind.FUSE, spec, options)


def to_prepare(dataset: DatasetRef, recipe: RecipeLike, *, append: bool = False, **options: Any) -> JobCreate:
    """A dataset of another."""
    mode = WriteMode.APPEND if append else WriteMode.REPLACE
    spec = {"dataset": to_ref(dataset), "recipe": to_recipe(recipe), "mode": mode}
    return _to_request(JobKind.PREPARE, spec, options)


def to_predict(
    model: ModelLike, dataset: DatasetRef, *, keys: Sequence[str] = (), append: bool = False, **options: Any
) -> JobCreate:
    """Answers to all rows of a dataset."""
    mode = WriteMode.APPEND if append else WriteMode.REPLACE
    spec = {"model": to_model_ref(model), "dataset": to_ref(dataset), "keys": list(keys), "mode": mode}
    return _to_request(JobKind.PREDICT, spec, options)


def to_recipe(recipe: RecipeLike) -> dict[str, Any]:
    """As it is sent: what was not said is left out."""
    if isinstance(recipe, Recipe):
        return recipe.model_dump(mode="json", exclude_unset=True)
    return dict(recipe) if isinstance(recipe, Mapping) else {"steps": list(recipe)}


def to_decompose(
    dataset: DatasetRef,
    *,
    expert: str | Mapping[str, Any] | None = None,
    gate: str | Mapping[str, Any] | None = None,
    single: ModelLike | None = None,
    **options: Any,
) -> JobCreate:
    """A task split among experts."""
    parts = {name: _named("algorithm", part) for name, part in chosen(expert=expert, gate=gate).items()}
    spec = {"dataset": to_ref(dataset), **parts, **({} if single is None else {"single": to_model_ref(single)})}
    return _to_request(JobKind.DECOMPOSE, spec, options)


def _to_request(kind: JobKind, spec: Mapping[str, Any], options: dict[str, Any]) -> JobCreate:
    """`options` are fields of the spec, of the compute, of the request itself, or channels; None is as if left out."""
    given = chosen(**options)
    compute = {name: given.pop(name) for name in _COMPUTE if name in given}
    limits = {name: given.pop(name) for name in ("max_seconds", "max_cost_usd") if name in given}
    channels = {name: to_ref(given.pop(name)) for name in _CHANNELS if name in given}
    depends_on = to_ids(given.pop("depends_on", ()))
    if "features" in given:
        given["features"] = _to_recipes(given["features"])
    fields = {"kind": kind, **spec, **given, **channels}
    return to_request(JobCreate, spec=fields, compute=compute, depends_on=depends_on, **limits)


def to_body(request: JobCreate) -> dict[str, Any]:
    """As it is sent: what was left open stays open, for the workspace's settings decide it."""
    spec, compute = request.spec, request.compute
    body = request.model_dump(mode="json", include=request.model_fields_set)
    # NOTE: not `exclude_unset`, which would also leave out what says of which class the parts of a part are.
    body["spec"] = spec.model_dump(mode="json", include={*spec.model_fields_set, "kind"})
    body["compute"] = compute.model_dump(mode="json", include=compute.model_fields_set)
    return body


def chosen(**fields: Any) -> dict[str, Any]:
    """What is not None."""
    return {name: value for name, value in fields.items() if value is not None}


def to_ids(jobs: Sequence[str | Job]) -> list[str]:
    """The ids of jobs."""
    return [job if isinstance(job, str) else job.id for job in jobs]


def to_ref(dataset: DatasetRef) -> str:
    """`name` or `name@version`."""
    if isinstance(dataset, str):
        return dataset
    return dataset.ref if isinstance(dataset, DatasetVersion) else dataset.name


def to_model_ref(model: ModelLike) -> str:
    """`name` or `name@number`."""
    if isinstance(model, str):
        return model
    return model.name if isinstance(model, Model) else f"{model.model_name}@{model.number}"


def _to_data(data: DataLike | None) -> dict[str, Any] | None:
    if data is None:
        return None
    if isinstance(data, LearningSpec):
        return {name: getattr(data, name) for name in LearningSpec.model_fields if name in data.model_fields_set}
    if isinstance(data, Mapping):
        channels = {name: to_ref(data[name]) for name in ("dataset", *_CHANNELS) if data.get(name) is not None}
        return {**data, **channels}
    return {"dataset": to_ref(data)}


def _to_recipes(features: Any) -> Any:
    return {"default": features} if isinstance(features, str) else features


def _named(field: str, found: Any) -> Any:
    return {field: found} if isinstance(found, str) else found


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.spec.{field}", message=message)])
