"""A predict job on a version of a workspace in memory, by one worker and by several."""

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import BatchPrediction, PredictSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Signature, Task, TensorSpec
from aimass_core.errors import InvalidDataError
from aimass_core.services import datasets, job_channels, jobs
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.stored import open_channel
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.predict import parts as parts_module
from batch_jobs.predict.parts import divide
from batch_jobs.predict.workflow import DOCUMENT, predict
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.cluster import Worker
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.storage.channels import download_channels
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.batch_jobs.registered import imported
from tests.unit.core.services.ingest.scene import Scene, types

NUM_ROWS = 20_000


class Office:
    """A dataset of three numbers, a model that reads them, and predict jobs one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.scene, self.reporter = folder, Scene(), RecordingReporter()
        self.model_path = imported.write(folder / "model", imported.build("plain"))
        self.model = RegisteredModel.load(self.model_path, name="tiny@1")
        rng = np.random.default_rng(1)
        values = {"id": np.arange(NUM_ROWS) + 100, **{name: rng.normal(size=NUM_ROWS) for name in imported.COLUMNS}}
        self.upload("rows", pa.table(values))
        self.values = values

    def upload(self, name: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=5_000)
        self.scene.upload(self.scene.dataset(name), buffer.getvalue(), name="rows.parquet")

    def environment(self, *, attempt: int = 1, job: str = "job_1", worker: int = 0, **fields: Any) -> Environment:
        scene = self.scene
        spec = PredictSpec.model_validate(
            {"kind": "predict", "model": "tiny@1", "dataset": "rows@1", "output": "answers", **fields}
        )
        workspace_id = scene.principal.workspace_id
        base = self.folder / f"{job}-{attempt}-{worker}"
        channels = job_channels.resolve(scene.ports, workspace_id, spec)
        config = jobs.to_input_data_config(workspace_id, {each.name: each.to_pin() for each in channels})
        folders = download_channels(scene.ports.lake, config, base / "channels")
        return build_environment(
            base,
            folders,
            spec,
            job=job,
            num_cpus=2,
            models={"predictor": self.model_path},
            worker=Worker(index=worker, count=spec.num_workers),
        )

    def run(self, environment: Environment) -> dict[str, float]:
        assert isinstance(environment.spec, PredictSpec)
        workspace_id = self.scene.principal.workspace_id
        return predict(self.scene.ports, workspace_id, environment.spec, environment, self.reporter)

    def answers(self, number: int = 1, name: str = "answers") -> pa.Table:
        return self.scene.table(self.scene.version(self.scene.dataset_named(name), number))

    def num_parts_kept(self, job: str = "job_1") -> int:
        prefix = keys.job_prediction(self.scene.principal.workspace_id, job)
        return sum(1 for info in self.scene.ports.lake.list(prefix) if info.key.endswith(".arrow"))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def document_of(environment: Environment) -> BatchPrediction:
    return BatchPrediction.model_validate_json((environment.output_path / DOCUMENT).read_bytes())


def test_every_row_is_answered_as_the_model_answers_it_with_its_key(office: Office) -> None:
    environment = office.environment(keys=["id"])
    assert office.run(environment) == {"num_rows": NUM_ROWS, "num_errors": 0}
    found = document_of(environment)
    assert (found.output, found.num_rows, found.num_errors, found.num_parts) == ("answers@1", NUM_ROWS, 0, 1)
    version = office.scene.version(office.scene.dataset_named("answers"), 1)
    assert types(version) == {
        "row": "integer",
        "id": "integer",
        "label": "string",
        "probability": "number",
        "p_no": "number",
        "p_yes": "number",
        "error": "string",
    }
    table = office.answers()
    assert table.column("row").to_pylist() == list(range(NUM_ROWS))
    assert table.column("id").to_pylist() == office.values["id"].tolist()
    inputs = {name: office.values[name].astype(np.float32)[:, None] for name in imported.COLUMNS}
    labels, scores = Scorer(office.model.model, office.model.signature).run(inputs)
    assert table.column("label").to_pylist() == labels.tolist()
    np.testing.assert_array_equal(table.column("p_yes").to_numpy(), scores[:, 1].astype(np.float64))
    np.testing.assert_array_equal(table.column("probability").to_numpy(), scores.max(axis=1).astype(np.float64))
    assert office.num_parts_kept() == 0


def test_g6_a_row_that_cannot_be_read_spoils_no_other(office: Office) -> None:
    texts = [f"{value}" for value in office.values["b"][:50]]
    texts[7] = "much"
    table = pa.table({"a": office.values["a"][:50], "b": texts, "c": pa.array([None] * 50, pa.float64())})
    office.upload("texts", table)
    environment = office.environment(dataset="texts@1")
    assert office.run(environment) == {"num_rows": 50, "num_errors": 1}
    [error] = document_of(environment).errors
    assert (error.row, error.error) == (7, "b: 'much' is not a number")
    answers = office.answers().to_pylist()
    assert answers[7] == dict.fromkeys(answers[7], None) | {"row": 7, "error": "b: 'much' is not a number"}
    assert all(row["label"] in imported.LABELS and row["error"] is None for row in answers if row["row"] != 7)


def test_where_no_row_can_be_answered_the_job_fails_and_delivers_nothing(office: Office) -> None:
    office.upload("words", pa.table({"a": [1.0, 2.0], "b": ["much", "more"], "c": [1.0, 2.0]}))
    with pytest.raises(InvalidDataError, match=r"None of the 2 rows could be answered. Row 0: b: 'much' is not a num"):
        office.run(office.environment(dataset="words@1"))
    assert office.scene.dataset_named("answers").latest_version is None


def test_workers_share_the_rows_and_each_is_delivered_once(office: Office) -> None:
    environments = [office.environment(num_workers=3, worker=index, keys=["id"]) for index in range(3)]
    with ThreadPoolExecutor(3) as pool:
        main, *others = pool.map(office.run, environments)
    assert main == {"num_rows": NUM_ROWS, "num_errors": 0}
    assert others == [{}, {}]
    assert document_of(environments[0]).num_parts > 3
    assert office.answers().column("row").to_pylist() == list(range(NUM_ROWS))
    assert [each.number for each in versions(office)] == [1]


class DyingLake:
    """The same lake, for a container that is killed before its third part is kept."""

    def __init__(self, lake: MemoryBlobStore) -> None:
        self._lake, self._num_left = lake, 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def upload(self, path: Path, key: str, *, content_type: str) -> Any:
        if not self._num_left:
            raise KeyboardInterrupt
        self._num_left -= 1
        return self._lake.upload(path, key, content_type=content_type)


def test_a_worker_that_is_killed_is_made_up_for_and_nothing_is_doubled(office: Office) -> None:
    environment, ports = office.environment(num_workers=4), office.scene.ports
    assert isinstance(environment.spec, PredictSpec)
    dying = dataclasses.replace(ports, lake=cast(MemoryBlobStore, DyingLake(ports.lake)))
    with pytest.raises(KeyboardInterrupt):
        predict(dying, office.scene.principal.workspace_id, environment.spec, environment, office.reporter)
    assert office.num_parts_kept() == 2
    # The other workers never came: worker 0 answers their parts too.
    later = office.environment(num_workers=4, attempt=2)
    office.run(later)
    assert office.answers().column("row").to_pylist() == list(range(NUM_ROWS))
    # An attempt that was killed after the delivery: the next one finds the version.
    office.run(office.environment(num_workers=4, attempt=3))
    assert [each.number for each in versions(office)] == [1]


def test_a_worker_that_comes_after_the_delivery_has_nothing_to_do(office: Office) -> None:
    office.run(office.environment(num_workers=2))
    assert office.run(office.environment(num_workers=2, worker=1)) == {}
    assert office.num_parts_kept() == 0


def test_a_forecast_is_made_at_each_row_from_the_rows_up_to_it(office: Office) -> None:
    graph = GraphBuilder("steps")
    given = graph.input("a", onnx.TensorProto.FLOAT, ["rows", 3])
    weights = graph.constant([[1, 0], [0, 1], [10, 100]], np.float32)
    graph.output(graph.node("MatMul", given, weights), "value", onnx.TensorProto.FLOAT, ["rows", 2])
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=Task.FORECASTING,
        target="a",
        inputs=[TensorSpec(name="a", datatype="FP32", shape=[-1, 3], column="a", column_type=ColumnType.SERIES)],
        outputs=[TensorSpec(name="value", datatype="FP32", shape=[-1, 2])],
    )
    (office.model_path / "model.onnx").write_bytes(graph.build().SerializeToString())
    (office.model_path / "signature.json").write_text(signature.model_dump_json())
    assert office.run(office.environment(num_workers=3)) == {"num_rows": NUM_ROWS, "num_errors": 2}
    table = office.answers()
    assert table.column("row").to_pylist() == list(range(NUM_ROWS))
    assert table.column("error")[:3].to_pylist() == [
        "there are 1 rows up to here; the model reads the latest 3",
        "there are 2 rows up to here; the model reads the latest 3",
        None,
    ]
    a = office.values["a"].astype(np.float32)
    expected = np.stack([a[:-2] + 10 * a[2:], a[1:-1] + 100 * a[2:]], axis=1)
    np.testing.assert_allclose(np.array(table.column("value")[2:].to_pylist()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_workers", [1, 3, 40])
def test_parts_hold_every_row_once(office: Office, num_workers: int) -> None:
    channel = open_channel("data", office.environment().channels["data"])
    found = divide(channel, num_workers=num_workers)
    rows = [row for part in found for span in part.spans for row in range(span.first, span.end)]
    assert rows == list(range(NUM_ROWS))
    assert all(part.num_rows <= 131_072 for part in found)
    turns = [parts_module.in_turn(found, index=index, num_workers=num_workers) for index in range(num_workers)]
    assert all(sorted(part.number for part in turn) == list(range(len(found))) for turn in turns)
    assert len({turn[0].number for turn in turns}) == min(num_workers, len(found))


def versions(office: Office) -> list[Any]:
    found, _ = datasets.list_versions(office.scene.ports, office.scene.principal, "answers", limit=10)
    return list(found)
