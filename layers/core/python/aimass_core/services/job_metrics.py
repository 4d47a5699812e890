"""The metrics that a request for a job names, held against the tasks that its data allow."""

from collections.abc import Sequence

from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.metrics import check_metric
from aimass_core.domain.model_jobs import ModelJobSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Task
from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec
from aimass_core.domain.training import LearningSpec
from aimass_core.services.job_channels import Channel

# What a study measures on exported models beside the metrics.
FIGURES = (TrialAttribute.LATENCY_MS, TrialAttribute.MODEL_BYTES)
_METRIC = "body.spec.metric"
_CLASSES = (Task.BINARY, Task.MULTICLASS)
_NUMBERS = frozenset({ColumnType.INTEGER, ColumnType.NUMBER})


def check(spec: LearningSpec, train: Channel) -> None:
    """Raises InvalidRequestError where an objective is no metric of the task. The target is resolved."""
    if isinstance(spec, SearchSpec):
        for index, objective in enumerate(spec.objectives):
            if objective.metric is not None:
                location = f"body.spec.objectives.{index}.metric"
                check_metric(objective.metric, possible_tasks(spec, train), location=location, figures=FIGURES)
    elif isinstance(spec, AutotrainSpec | DecomposeSpec) and spec.metric is not None:
        check_metric(spec.metric, possible_tasks(spec, train), location=_METRIC)


def check_model_job(spec: ModelJobSpec, task: Task) -> None:
    """The same of a job on registered models, whose task is known."""
    if spec.metric is not None:
        check_metric(spec.metric, [task], location=_METRIC)


def possible_tasks(spec: LearningSpec, train: Channel) -> Sequence[Task]:
    """What it may come to, once the values of the target are seen: one where the request or the column says it."""
    task = Task.FORECASTING if spec.horizon else spec.resolve_task()
    if task is not None:
        return [task]
    column = train.schema.column(spec.target) if isinstance(spec.target, str) else None
    is_number = train.schema.kind is DatasetKind.TABLE and column is not None and column.type in _NUMBERS
    return [*_CLASSES, Task.REGRESSION] if is_number else _CLASSES
