"""A job exported to MLflow's own library on SQLite, and read back with it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

import aimass
from aimass.errors import ConnectionFailedError, MissingPackageError
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.jobs import (
    EventType,
    Failure,
    Job,
    JobEvent,
    JobEvents,
    JobStatus,
    ModelRef,
    PinnedDataset,
    PinnedModel,
    ScriptSpec,
    TrainSpec,
)
from aimass_core.domain.models import ArtifactName, ModelVersionDetail
from aimass_core.domain.reports import LearningCurve, ModelReport
from aimass_core.domain.signatures import Card, Datatype, Signature, Task, TensorSpec
from aimass_core.domain.study_specs import Candidate, SearchSpec
from aimass_core.errors import ConflictError
from tests.factories.served_models import TABLE, table_model, table_probability

BEGUN, ENDED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC), datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
_RESOURCE = {"workspace_id": "ws_1", "created_at": BEGUN, "updated_at": ENDED, "created_by": "key_ann", "revision": 3}
_PINNED = PinnedDataset(dataset_id="ds_1", dataset_name="adult", number=2, digest="d" * 64)
CARD = Card(
    algorithm="xgboost",
    framework="xgboost",
    task=Task.BINARY,
    target="income",
    hyperparameters={"max_depth": 6, "learning_rate": 0.1, "hidden": [8, 4], "tree": "hist"},
    seed=7,
    dataset="adult@2",
    evaluations=[],
    model_bytes=1,
    training_seconds=1.0,
)
CURVES = [
    LearningCurve(name="train/log_loss", steps=[1, 11, 1500], values=[0.7, 0.4, 0.2]),
    LearningCurve(name="validation/log_loss", steps=list(range(1, 1501)), values=[1 / n for n in range(1, 1501)]),
]


def _job(**fields: Any) -> Job:
    return Job(
        **{
            **_RESOURCE,
            "id": "job_1",
            "kind": "train",
            "spec": TrainSpec(dataset="adult", algorithm="xgboost", seed=7),
            "max_seconds": 3600,
            "status": JobStatus.SUCCEEDED,
            "started_at": BEGUN,
            "ended_at": ENDED,
            "channels": {"train": _PINNED},
            "metrics": {"roc_auc": 0.91, "validation/roc_auc": 0.91, "validation/log_loss": 0.3},
            "model_version": ModelRef(model_id="mdl_1", model_name="adult", number=3),
            **fields,
        }
    )


@dataclass
class Server:
    """The API and S3, as far as an export asks them."""

    job: Job = field(default_factory=_job)
    model: bytes = field(default_factory=table_model)
    signature: Signature = TABLE
    events: list[JobEvent] = field(default_factory=list)
    breaks_at: str = ""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.removeprefix("/")
        if request.url.host == "s3.test":
            assert "authorization" not in request.headers
            return httpx2.Response(403 if name == self.breaks_at else 200, content=self._files()[name])
        answers: dict[str, Callable[[], Any]] = {
            "v1/jobs/job_1": lambda: self.job,
            "v1/jobs/job_1/events": lambda: self._events(int(request.url.params["after"])),
            "v1/models/mdl_1/versions/3": self._version,
        }
        return httpx2.Response(200, content=answers[name]().model_dump_json())

    def client(self) -> aimass.Client:
        return aimass.Client(base_url="http://api.test", api_key="aim_x", transport=httpx2.MockTransport(self))

    def _events(self, after: int) -> JobEvents:
        """Two at a time."""
        new = [event for event in self.events if event.number > after][:2]
        return JobEvents(events=new, job=self.job, last=new[-1].number if new else after)

    def _files(self) -> dict[str, bytes]:
        report = ModelReport(channel="validation", num_rows=10, learning_curves=CURVES)
        return {
            ArtifactName.MODEL: self.model,
            ArtifactName.SIGNATURE: self.signature.model_dump_json().encode(),
            ArtifactName.CARD: CARD.model_dump_json().encode(),
            ArtifactName.GOLDEN: b"{}",
            ArtifactName.REPORT: b"<html>the report</html>",
            ArtifactName.REPORT_DATA: report.model_dump_json().encode(),
        }

    def _version(self) -> ModelVersionDetail:
        return ModelVersionDetail(
            **_RESOURCE,
            id="mv_1",
            model_id="mdl_1",
            model_name="adult",
            number=3,
            job_id="job_1",
            algorithm="xgboost",
            task=Task.BINARY,
            metrics={},
            primary_metric="roc_auc",
            artifacts=[],
            digest="e" * 64,
            model_bytes=len(self.model),
            signature=self.signature,
            card=CARD,
            links={name: f"http://s3.test/{name}" for name in self._files()},
        )


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of its own; what MLflow writes beside it goes to the test's folder."""
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def _open(tracking: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(tracking_uri=tracking)


def _export(server: Server, tracking: str, **options: Any) -> Any:
    run_id = server.client().jobs.get("job_1").export_mlflow(tracking_uri=tracking, **options)
    return _open(tracking).get_run(run_id)


def test_run_has_parameters_curves_metrics_and_where_it_came_from(tracking: str) -> None:
    run = _export(Server(), tracking)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "adult@3")
    assert run.info.start_time == BEGUN.timestamp() * 1000
    assert run.info.end_time == ENDED.timestamp() * 1000
    assert run.data.params == {
        "data.train": "adult@2",
        "data.train.digest": "d" * 64,
        "algorithm": "xgboost",
        "framework": "xgboost",
        "seed": "7",
        "max_depth": "6",
        "learning_rate": "0.1",
        "hidden": "[8, 4]",
        "tree": "hist",
    }
    tags = {
        "aimass.job_id": "job_1",
        "aimass.job_kind": "train",
        "aimass.model_version": "adult@3",
        "aimass.model_digest": "e" * 64,
        "mlflow.user": "key_ann",
    }
    assert run.data.tags.items() >= tags.items()
    assert (run.data.metrics["roc_auc"], run.data.metrics["final/validation/log_loss"]) == (0.91, 0.3)
    for curve in CURVES:
        points = _open(tracking).get_metric_history(run.info.run_id, curve.name)
        assert sorted((point.step, point.value) for point in points) == list(
            zip(curve.steps, curve.values, strict=True)
        )


def test_model_is_loaded_by_mlflow_and_answers_a_data_frame(tracking: str, tmp_path: Path) -> None:
    import mlflow
    import pandas

    run = _export(Server(), tracking)
    files = {item.path for item in _open(tracking).list_artifacts(run.info.run_id)}
    assert files == {"model", "report.html", "report.json", "card.json", "signature.json", "golden.json"}
    folder = _open(tracking).download_artifacts(run.info.run_id, "model", str(tmp_path))
    model = mlflow.pyfunc.load_model(folder)
    assert model.metadata.run_id == run.info.run_id
    answer = model.predict(pandas.DataFrame({"age": np.array([30, 50], np.float32), "city": ["Rome", "Paris"]}))
    assert list(answer["label"]) == ["yes", "no"]
    expected = [table_probability(30, "Rome"), table_probability(50, "Paris")]
    assert answer["probabilities"][:, 1] == pytest.approx(expected, abs=1e-6)


def test_a_second_export_answers_the_same_run_and_an_interrupted_one_is_replaced(tracking: str) -> None:
    broken = Server(breaks_at=ArtifactName.REPORT)
    with pytest.raises(ConnectionFailedError, match=r"403 for report\.html"):
        _export(broken, tracking, experiment="mine")
    whole = _export(replace(broken, breaks_at=""), tracking, experiment="mine")
    again = _export(Server(), tracking, experiment="mine")
    assert again.info.run_id == whole.info.run_id
    client = _open(tracking)
    assert [run.info.run_id for run in client.search_runs([whole.info.experiment_id])] == [whole.info.run_id]
    assert _export(Server(), tracking, experiment="other").info.run_id != whole.info.run_id


def test_job_without_a_model_has_the_curves_that_it_told(tracking: str) -> None:
    def metrics(number: int, step: int, **values: float | None) -> JobEvent:
        data = {"points": [{"step": step, "values": values}]}
        return JobEvent(number=number, at=BEGUN, attempt=1, type=EventType.METRICS, data=data)

    job = _job(
        kind="script",
        spec=ScriptSpec(kind="script", source="a" * 64, entry_point="train.py", hyperparameters={"epochs": 3}),
        status=JobStatus.FAILED,
        failure=Failure(code="user", cause="The script ended with exit code 3."),
        metrics={},
        model_version=None,
    )
    told = [metrics(1, 1, loss=0.5), metrics(2, 2, loss=None), metrics(3, 3, loss=0.25)]
    run = _export(Server(job=job, events=told), tracking)
    assert (run.info.status, run.info.run_name) == ("FAILED", "job_1")
    assert run.data.tags["aimass.failure"] == "The script ended with exit code 3."
    assert run.data.params["epochs"] == "3"
    points = _open(tracking).get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(1, 0.5), (3, 0.25)]


def test_search_has_the_hyperparameters_of_the_model_that_came_of_it(tracking: str) -> None:
    spec = SearchSpec(
        kind="search", dataset="adult", candidates=[Candidate(algorithm="xgboost")], max_trials=40, seed=7
    )
    params = _export(Server(job=_job(kind="search", spec=spec, study_id="std_1")), tracking).data.params
    assert (params["study"], params["max_trials"], params["seed"]) == ("std_1", "40", "7")
    assert (params["algorithm"], params["max_depth"], params["learning_rate"]) == ("xgboost", "6", "0.1")


def test_compression_has_its_limits_and_the_model_that_it_was_made_of(tracking: str) -> None:
    spec = CompressSpec(
        kind="compress", parent="adult", max_model_bytes=50_000, methods=["quantization"], device="lambda-512mb", seed=7
    )
    parent = PinnedModel(model_id="mdl_1", model_name="adult", number=2, digest="f" * 64)
    params = _export(Server(job=_job(kind="compress", spec=spec, models={"parent": parent})), tracking).data.params
    assert params == {
        "data.train": "adult@2",
        "data.train.digest": "d" * 64,
        "model.parent": "adult@2",
        "model.parent.digest": "f" * 64,
        "max_model_bytes": "50000",
        "max_metric_drop": "0.01",
        "methods": '["quantization"]',
        "device": "lambda-512mb",
        "seed": "7",
    }


def test_more_hyperparameters_than_one_request_takes(tracking: str) -> None:
    spec = TrainSpec(dataset="adult", algorithm="xgboost", hyperparameters={f"h{n}": n for n in range(250)})
    run = _export(Server(job=_job(spec=spec, model_version=None, status=JobStatus.STOPPED)), tracking)
    assert run.info.status == "KILLED"
    assert run.data.params["h249"] == "249"


def test_every_datatype_of_a_signature_has_one_in_mlflow() -> None:
    from aimass.mlflow_export import to_mlflow_signature

    inputs = [TensorSpec(name=str(datatype), datatype=datatype, shape=[-1, 4]) for datatype in Datatype]
    signature = TABLE.model_copy(update={"inputs": inputs})
    written = json.loads(to_mlflow_signature(signature).to_dict()["inputs"])
    assert {item["name"]: item["tensor-spec"]["dtype"] for item in written} == {
        "BYTES": "object",
        "BOOL": "bool",
        **{f"{sign}INT{bits}": f"{sign}INT{bits}".lower() for sign in ("", "U") for bits in (8, 16, 32, 64)},
        "FP16": "float16",
        "FP32": "float32",
        "FP64": "float64",
    }


def test_without_mlflow_the_error_says_what_to_install(tracking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingPackageError, match=r"needs mlflow. Install it with: pip install 'aimass\[mlflow\]'"):
        Server().client().jobs.get("job_1").export_mlflow(tracking_uri=tracking)


def test_what_cannot_be_exported_says_why(tracking: str, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="job_1 is RUNNING"):
        _export(Server(job=_job(status=JobStatus.RUNNING)), tracking)
    with pytest.raises(ConnectionFailedError, match="MLflow at nonsense://x refuses"):
        _export(Server(), "nonsense://x")
