"""What data an autotrain job has, and which algorithms it is for."""

from dataclasses import dataclass

import numpy as np

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Task
from aimass_core.domain.study_specs import AutotrainSpec, Candidate
from aimass_core.errors import ErrorDetail, InvalidRequestError
from batch_jobs.data.channels import read_schema
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.materials import Materials
from batch_jobs.train.material import TRAIN, Material, find_data_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the data is; `num_rarer` rows are of the rarer one of two classes, None where there are not two."""

    kind: DataKind
    task: Task
    num_rows: int
    num_columns: int
    num_rarer: int | None = None


def profile(environment: Environment, spec: AutotrainSpec, materials: Materials) -> Profile:
    """Reads the data as an algorithm would that does all tasks."""
    task = Task.FORECASTING if spec.horizon else spec.resolve_task()
    dataset_kind = _dataset_kind(environment)
    fitting = [each for each in registry.load_all().values() if each.fits(dataset_kind)]
    versatile = max(fitting, key=lambda each: len(each.tasks))
    kind = DataKind.SERIES
    if not spec.horizon:
        probe = _to_train_spec(spec, versatile)
        kind = find_data_kind(materials.channels(probe), probe, materials.notes)
    able = [each for each in fitting if kind in each.kinds and (task is None or task in each.tasks)]
    if not able:
        raise InvalidRequestError(f"No algorithm does {task} with {kind} data. See GET /v1/algorithms.")
    material = materials.find(_to_train_spec(spec, max(able, key=lambda each: len(each.tasks))))
    part, is_binary = material.parts[TRAIN], material.target.task is Task.BINARY
    return Profile(
        kind=kind,
        task=material.target.task,
        num_rows=part.num_rows,
        num_columns=_num_columns(material),
        num_rarer=int(np.bincount(part.truth, minlength=2).min()) if is_binary else None,
    )


def check_algorithms(names: list[str], found: Profile) -> None:
    """Raises InvalidRequestError where one of those that were asked for cannot learn from such data."""
    for name in names:
        algorithm = registry.find(name)
        if found.kind not in algorithm.kinds or found.task not in algorithm.tasks:
            message = f"{name} does not do {found.task} with {found.kind} data: leave it out of algorithms"
            raise InvalidRequestError(
                f"{message}.", details=[ErrorDetail(location="body.spec.algorithms", message=message)]
            )


def _to_train_spec(spec: AutotrainSpec, algorithm: AlgorithmSpec) -> TrainSpec:
    return Candidate(algorithm=algorithm.name).to_train_spec(spec, {})


def _dataset_kind(environment: Environment) -> DatasetKind:
    if TRAIN not in environment.channels:
        raise InvalidRequestError(
            f"an autotrain job needs the channel {TRAIN!r}; it has {sorted(environment.channels)}"
        )
    return read_schema(environment.channels[TRAIN]).kind


def _num_columns(material: Material) -> int:
    return len(material.columns)
