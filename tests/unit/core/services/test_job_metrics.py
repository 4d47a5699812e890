"""The metrics that requests name, against what their data allow."""

from typing import Any

import pytest

from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.metrics import LOWER_IS_BETTER, METRICS, PRIMARY_METRICS
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Ports
from aimass_core.services import job_plans
from tests.factories.platform import add_dataset, add_version, new_ports, new_principal, search_request

COLUMNS = [
    Column(name="age", type=ColumnType.INTEGER),
    Column(name="city", type=ColumnType.STRING),
    Column(name="income", type=ColumnType.NUMBER),
]


def resolve(**spec: Any) -> None:
    """A search on a table, without being submitted."""
    ports: Ports = new_ports()
    principal = new_principal()
    schema = Schema(kind=DatasetKind.TABLE, columns=COLUMNS)
    add_version(ports, principal, add_dataset(ports, principal, target=None), schema=schema)
    if spec.get("kind") == "autotrain":
        request = JobCreate.model_validate({"spec": {"dataset": "adult", **spec}})
    else:
        request = search_request(**spec)
    job_plans.resolve(ports, principal.workspace_id, request)


def objectives(*names: str) -> list[dict[str, str]]:
    return [{"metric": name} for name in names]


@pytest.mark.parametrize(
    "spec",
    [
        {"target": "city", "objectives": objectives("roc_auc", "latency_ms", "model_bytes")},
        {"target": "age", "objectives": objectives("rmse")},
        {"target": "age", "objectives": objectives("f1")},
        {"target": "age", "task": "regression", "objectives": objectives("r2")},
        {"target": "income", "objectives": [{}]},
        {"kind": "autotrain", "target": "city", "metric": "log_loss"},
        {"kind": "autotrain", "target": "age", "metric": "scaled_mae", "horizon": 3},
    ],
)
def test_a_metric_that_the_task_may_have_is_taken(spec: dict[str, Any]) -> None:
    resolve(**spec)


@pytest.mark.parametrize(
    ("spec", "location", "words"),
    [
        ({"target": "city", "objectives": objectives("f1", "auc")}, "objectives.1.metric", "Did you mean 'roc_auc'"),
        ({"target": "city", "objectives": objectives("rmse")}, "objectives.0.metric", "binary or multiclass. There"),
        (
            {"target": "age", "task": "regression", "objectives": objectives("accuracy")},
            "objectives.0.metric",
            "a task that is regression. There are: rmse, mae, r2, latency_ms, model_bytes",
        ),
        (
            {"target": "age", "objectives": objectives("magic")},
            "objectives.0.metric",
            "accuracy, f1, log_loss, roc_auc",
        ),
        ({"kind": "autotrain", "target": "city", "metric": "latency_ms"}, "metric", "There are: accuracy"),
        ({"kind": "autotrain", "target": "age", "metric": "f1", "horizon": 3}, "metric", "that is forecasting"),
    ],
)
def test_a_metric_that_the_task_never_has_is_refused_at_submit(spec: dict[str, Any], location: str, words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        resolve(**spec)
    assert words in caught.value.message
    assert [detail.location for detail in caught.value.details] == [f"body.spec.{location}"]


def test_every_task_is_known_by_a_metric_that_it_has() -> None:
    assert set(METRICS) == set(PRIMARY_METRICS) == set(Task) - {Task.CUSTOM}
    assert all(PRIMARY_METRICS[task] in names for task, names in METRICS.items())
    assert {name for names in METRICS.values() for name in names} >= LOWER_IS_BETTER
