"""The main job: from a CSV file to served predictions, through every way in."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
import tritonclient.http as triton

import aimass
from aimass_core.domain import keys
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden
from tests.ports import free_port
from tests.stack import BIN, Stack, wait_until, write_loans


@pytest.fixture(scope="module")
def deployed(stack: Stack, loans: tuple[Path, Path]) -> str:
    """The README's commands; returns the endpoint's name."""
    train, test = loans
    stack.cli("datasets", "upload", "loans", str(train), "--target", "repaid")
    stack.cli("datasets", "upload", "loans-test", str(test), "--target", "repaid")
    table = stack.cli("train", "loans", "--algorithm", "xgboost", "--test", "loans-test")
    assert "ROC AUC" in table
    assert "loans" in stack.cli("models", "list")
    assert "READY" in stack.cli("deploy", "loans")
    return "loans"


def test_trained_model_is_good_and_its_artifacts_are_in_the_lake(
    deployed: str, stack: Stack, client: aimass.Client
) -> None:
    version = client.models.get_version(deployed, 1)
    assert version.metrics["roc_auc"] > 0.9
    assert version.card is not None
    assert version.card.export_check.max_abs_difference <= version.card.export_check.tolerance
    s3 = stack.aws("s3")
    for artifact in version.artifacts:
        key = keys.model_object(version.workspace_id, version.model_id, version.number, artifact.name)
        assert s3.head_object(Bucket=stack.outputs["LakeBucketName"], Key=key)["ContentLength"] == artifact.num_bytes


def test_served_answers_equal_the_jobs_own_test_predictions(
    deployed: str, stack: Stack, client: aimass.Client, loans: tuple[Path, Path]
) -> None:
    version = client.models.get_version(deployed, 1)
    job = client.jobs.get(version.job_id)
    key = keys.job_attempt(job.workspace_id, job.id, job.attempt, "output/test_predictions.parquet")
    body = stack.aws("s3").get_object(Bucket=stack.outputs["LakeBucketName"], Key=key)["Body"].read()
    own = pq.read_table(io.BytesIO(body)).to_pylist()
    with loans[1].open(newline="", encoding="utf-8") as file:
        rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
    served = client.endpoints.predict(deployed, rows)
    assert len(served.predictions) == len(own) == 300
    assert [p.label for p in served.predictions] == [row["label"] for row in own]
    difference = [abs(p.probabilities["yes"] - row["p_yes"]) for p, row in zip(served.predictions, own, strict=True)]  # type: ignore[index]
    assert max(difference) <= 1e-4


def test_cli_predicts_a_csv_file(deployed: str, stack: Stack, loans: tuple[Path, Path]) -> None:
    lines = stack.cli("predict", deployed, str(loans[1]), "--output", "csv").splitlines()
    assert lines[0] == "ROW,LABEL,PROBABILITY,NOTES"
    assert len(lines) == 301


# MLflow warns of its own type hints where it first loads a model.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred")
def test_mlflow_has_the_job_and_answers_as_the_endpoint_must(
    deployed: str, stack: Stack, client: aimass.Client, tmp_path: Path
) -> None:
    tracking = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    tracking.create_experiment("loans", artifact_location=str(tmp_path / "artifacts"))
    version = client.models.get_version(deployed, 1)
    to = ("--tracking-uri", tracking.tracking_uri, "--experiment", "loans")
    run = tracking.get_run(stack.cli("jobs", "export-mlflow", version.job_id, *to).strip())
    assert run.data.metrics["test/roc_auc"] == pytest.approx(version.metrics["roc_auc"])
    assert run.data.params["max_depth"] == "6"
    assert len(tracking.get_metric_history(run.info.run_id, "validation/log_loss")) > 1
    assert version.signature is not None
    golden = Golden.model_validate_json(version.download(ArtifactName.GOLDEN, tmp_path / "golden.json").read_bytes())
    datatypes = {"FP32": np.float32, "FP64": np.float64, "BYTES": object}
    inputs = {
        spec.name: np.array(golden.inputs[spec.name], datatypes[spec.datatype]) for spec in version.signature.inputs
    }
    model = mlflow.pyfunc.load_model(tracking.download_artifacts(run.info.run_id, "model", str(tmp_path)))
    answer = model.predict(inputs)
    assert answer["label"].tolist() == golden.outputs["label"]
    assert np.abs(answer["probabilities"] - golden.outputs["probabilities"]).max() <= golden.tolerance


def test_tritonclient_curl_and_sdk_get_the_same_answer(deployed: str, stack: Stack, client: aimass.Client) -> None:
    row = {"income": 52_000.0, "age": 41, "region": "north", "since": "2019-05-04"}
    mine = client.endpoints.predict(deployed, [row]).predictions[0]

    headers = {"Authorization": f"Bearer {stack.api_key}"}
    server = triton.InferenceServerClient(f"127.0.0.1:{stack.port}")
    assert server.is_server_ready(headers=headers)
    metadata = server.get_model_metadata(deployed, headers=headers)
    assert {tensor["name"] for tensor in metadata["inputs"]} == set(row)
    epoch = np.datetime64("2019-05-04", "s").astype(np.int64).astype(np.float64)
    values = {
        "income": np.array([[52_000.0]], np.float32),
        "age": np.array([[41.0]], np.float32),
        "region": np.array([["north"]], object),
        "since": np.array([[epoch]], np.float64),
    }
    datatypes = {"income": "FP32", "age": "FP32", "region": "BYTES", "since": "FP64"}
    inputs = []
    for name, value in values.items():
        tensor = triton.InferInput(name, list(value.shape), datatypes[name])
        tensor.set_data_from_numpy(value)
        inputs.append(tensor)
    answer = server.infer(deployed, inputs, headers=headers)
    assert answer.as_numpy("label")[0].decode() == mine.label
    assert max(answer.as_numpy("probabilities")[0]) == pytest.approx(mine.probability, abs=1e-6)

    body = {
        "inputs": [
            {"name": name, "datatype": datatypes[name], "shape": [1, 1], "data": value.ravel().tolist()}
            for name, value in values.items()
        ]
    }
    url = f"{stack.url}/v2/models/{deployed}/infer"
    command = ["curl", "-sf", "-H", f"Authorization: Bearer {stack.api_key}", "-H", "Content-Type: application/json"]
    done = subprocess.run([*command, "-d", json.dumps(body), url], capture_output=True, check=True)
    outputs = {output["name"]: output["data"] for output in json.loads(done.stdout)["outputs"]}
    assert outputs["label"] == [mine.label]
    assert max(outputs["probabilities"]) == pytest.approx(mine.probability, abs=1e-6)


def test_a_watched_endpoint_keeps_what_it_sees_and_is_held_against_what_became_true(
    deployed: str, stack: Stack, client: aimass.Client, loans: tuple[Path, Path], tmp_path: Path
) -> None:
    client.endpoints.set(deployed, capture={"percent": 100, "keys": ["loan"]})
    with loans[1].open(newline="", encoding="utf-8") as file:
        rows = [{**row, "loan": f"loan-{number}"} for number, row in enumerate(csv.DictReader(file))]
    truth = tmp_path / "truth.csv"
    truth.write_text("\n".join(["loan,repaid", *(f"{row['loan']},{row['repaid']}" for row in rows)]), encoding="utf-8")

    def seen() -> bool:
        client.endpoints.predict(deployed, [{name: cell or None for name, cell in row.items()} for row in rows])
        return client.endpoints.drift(deployed).num_rows >= len(rows)

    wait_until(seen)
    drift = client.endpoints.drift(deployed)
    assert {column.name for column in drift.columns} == {"income", "age", "region"}
    assert not [column.name for column in drift.columns if column.is_drift]
    client.endpoints.truth(deployed, truth, key="loan")
    performance = client.endpoints.performance(deployed)
    assert performance.num_rows == performance.num_captured >= 300
    assert performance.metrics["roc_auc"] > 0.9
    captured = client.endpoints.capture(deployed, to="captured")
    assert captured.data_schema is not None
    assert {"income", "loan", "served_answer"} <= {column.name for column in captured.data_schema.columns}
    client.endpoints.set_alarms(deployed, max_p95_ms=0, min_requests=1)
    stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
    assert "ms; allowed: 0 ms" in client.endpoints.get(deployed).alarm_reasons[0]
    stack.cli("endpoints", "report", deployed, "--html", str(tmp_path / "page.html"))
    assert "Confusion" in (tmp_path / "page.html").read_text(encoding="utf-8")
    explained = client.endpoints.predict(deployed, rows[:2], explain=True).predictions[1].explanation
    assert explained is not None
    total = sum(each.value for each in explained.contributions)
    assert total == pytest.approx(explained.answer - explained.base, abs=1e-6)
    client.endpoints.set_alarms(deployed)
    client.endpoints.set(deployed, capture={"percent": 0})


def test_g5_a_storm_of_first_requests_fails_none(deployed: str, stack: Stack, client: aimass.Client) -> None:
    cold = client.endpoints.deploy(f"{deployed}@1", name="cold")
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    body = {"rows": [{"income": 52_000.0, "age": 41, "region": "north"}]}

    def ask(_: int) -> httpx2.Response:
        return httpx2.post(f"{stack.url}{cold.predict_path}", json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    assert {answer.status_code for answer in answers} <= {200, 429}
    (told,) = {answer.text for answer in answers if answer.status_code == 200}
    assert json.loads(told)["model_version"] == 1
    client.endpoints.delete("cold")


def test_a_version_is_served_by_this_machine_until_it_is_interrupted(
    deployed: str, stack: Stack, client: aimass.Client, loans: tuple[Path, Path], tmp_path: Path
) -> None:
    with loans[1].open(newline="") as file:
        rows = list(csv.DictReader(file))[:20]
    port = free_port()
    command = [str(BIN / "aimass"), "serve", f"{deployed}@1", "--port", str(port), "--workers", "1"]
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--to", str(tmp_path / "models")],
            env={**stack.environment(), "SAGEMAKER_BASE_DIR": str(tmp_path / "nowhere")},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_up() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/ping", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    try:
        wait_until(is_up)
        answered = httpx2.post(f"http://127.0.0.1:{port}/v1/endpoints/{deployed}/predict", json={"rows": rows})
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        code = process.wait(timeout=60)
    assert code == 0, log.read_text()
    expected = client.endpoints.predict(deployed, rows).predictions
    assert [each["label"] for each in answered.json()["predictions"]] == [each.label for each in expected]
    probabilities = [each["probabilities"] for each in answered.json()["predictions"]]
    assert probabilities == [pytest.approx(each.probabilities, abs=1e-6) for each in expected]


def test_what_a_request_cannot_carry_is_answered_too(deployed: str, stack: Stack, client: aimass.Client) -> None:
    served = client.endpoints.get(deployed)
    assert served.signature is not None
    rows = [{"income": 50_000.0 + number} for number in range(20)]
    assert client.endpoints.submit(deployed, rows).wait(timeout_seconds=60) == served.predict(rows)
    texts = {spec.column: "\U0001f600" * 300 for spec in served.signature.inputs if spec.categories}
    many = [{"income": float(number), **texts} for number in range(9_999)]
    body = json.dumps({"rows": many}).encode()
    assert len(body) > 6 * 1024**2
    headers = {"Authorization": f"Bearer {stack.api_key}", "Accept-Encoding": "identity"}
    named = {"X-Aimass-Input": client.predictions.send_input(body), "Content-Type": "application/json"}
    answer = httpx2.post(f"{stack.url}{served.predict_path}", headers={**headers, **named}, timeout=60)
    assert answer.status_code == 303
    link = httpx2.get(answer.headers["location"], timeout=60)
    assert len(link.content) == answer.json()["num_bytes"]
    assert len(link.json()["predictions"]) == len(many)


def test_dropped_files_become_one_appended_version(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    first = tmp_path / "first.csv"
    write_loans(first, num_rows=50, seed=2)
    version = client.datasets.upload(first, name="dropped", target="repaid")
    assert "drop/default/dropped/" in stack.cli("drop", "dropped")
    s3 = stack.aws("s3")
    for seed in (3, 4):
        more = tmp_path / f"more-{seed}.csv"
        write_loans(more, num_rows=30, seed=seed)
        s3.put_object(
            Bucket=stack.outputs["LandingBucketName"], Key=f"drop/default/dropped/{more.name}", Body=more.read_bytes()
        )
    latest = wait_until(lambda: _version_after(client, "dropped", version.number))
    assert latest.num_rows == 110
    assert latest.number == version.number + 1


def _version_after(client: aimass.Client, dataset: str, number: int) -> aimass.resources.datasets.DatasetVersion | None:
    latest = client.datasets.get(dataset).latest_version
    return client.datasets.get_version(dataset, latest) if latest and latest > number else None


def test_sdk_trains_a_regression_with_a_data_frame_and_deploys_it(client: aimass.Client) -> None:
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(5)
    frame = pandas.DataFrame({"x": generator.normal(size=400), "kind": generator.choice(["a", "b"], 400)})
    frame["y"] = 3 * frame["x"] + (frame["kind"] == "a") + generator.normal(0, 0.01, 400)
    dataset = client.datasets.upload(frame, name="lines", target="y")
    job = client.jobs.train(dataset, algorithm="linear").wait()
    assert job.model_version is not None
    assert job.metrics["r2"] > 0.99
    endpoint = job.model_version.deploy()
    answer = endpoint.predict(frame[["x", "kind"]].head(3))
    assert [p.value for p in answer.predictions] == pytest.approx(list(frame["y"].head(3)), abs=0.1)


def test_images_train_and_predict(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    labels = np.arange(240) % 2
    images = generator.integers(0, 60, (240, 12, 12), dtype=np.uint8)
    images[labels == 1, 3:9, 3:9] += 150
    path = tmp_path / "squares.npz"
    np.savez_compressed(path, images=images, labels=labels)
    stack.cli("datasets", "upload", "squares", str(path), "--target", "label")
    stack.cli("train", "squares", "--algorithm", "cnn", "-H", "epochs=8", "-H", "batch_size=16")
    stack.cli("deploy", "squares")
    assert client.models.get_version("squares", 1).metrics["accuracy"] > 0.9
    answer = client.endpoints.predict("squares", [{"image": images[index].tolist()} for index in (0, 1)])
    assert [p.label for p in answer.predictions] == ["0", "1"]


# In make test series are read, trained and served each by itself, and a forecast from end to end.
@pytest.mark.slow
def test_series_train_and_predict_from_ts_files(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    generator = np.random.default_rng(7)
    lines = ["@problemName bumps", "@timeStamps false", "@univariate true", "@classLabel true bump flat", "@data"]
    for row in range(160):
        values = generator.normal(0, 0.5, generator.integers(12, 20))
        place = generator.integers(0, 6)
        values[place : place + 6] += 4 * (row % 2)
        lines.append(",".join(f"{value:.4f}" for value in values) + (":bump" if row % 2 else ":flat"))
    path = tmp_path / "bumps.ts"
    path.write_text("\n".join(lines))
    stack.cli("datasets", "upload", "bumps", str(path))
    stack.cli("train", "bumps", "--algorithm", "fcn", "-H", "channels=[8,8]", "-H", "kernels=[5,3]", "-H", "epochs=20")
    assert client.models.get_version("bumps", 1).metrics["accuracy"] > 0.9
    stack.cli("deploy", "bumps")
    answers = stack.cli("predict", "bumps", str(path), "--output", "csv").splitlines()[1:]
    assert len(answers) == 160
    assert sum(("bump" in line) == bool(row % 2) for row, line in enumerate(answers)) > 140


def test_a_forecast_is_trained_and_served(client: aimass.Client) -> None:
    pandas = pytest.importorskip("pandas")
    steps = np.arange(300)
    sales = 100 + steps + 20 * np.sin(2 * np.pi * steps / 12)
    frame = pandas.DataFrame({"at": pandas.date_range("2020-01-01", periods=300, tz="UTC"), "sales": sales})
    dataset = client.datasets.upload(frame, name="sales", target="sales")
    options = {"horizon": 6, "window": 24, "time_column": "at"}
    job = client.jobs.train(dataset, algorithm="nlinear", hyperparameters={"learning_rate": 0.02}, **options).wait()
    assert job.model_version is not None
    answer = job.model_version.deploy().predict([{"sales": sales[-30:-6].tolist()}, {"sales": [1, 2]}])
    assert answer.predictions[0].values == pytest.approx(sales[-6:].tolist(), abs=5)
    assert "exactly 24" in str(answer.predictions[1].error)


def test_bad_target_is_refused_with_the_columns_that_exist(stack: Stack, loans: tuple[Path, Path]) -> None:
    stack.cli("datasets", "upload", "plain", str(loans[0]))
    words = stack.cli("train", "plain", "--algorithm", "xgboost", "--target", "nope", exit_code=3)
    assert "nope" in words
    assert "income" in words


def test_constant_target_fails_with_its_cause_first(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    path = tmp_path / "constant.csv"
    path.write_text("x,y\n" + "\n".join(f"{i},same" for i in range(60)))
    stack.cli("datasets", "upload", "constant", str(path), "--target", "y")
    words = stack.cli("train", "constant", "--algorithm", "xgboost", exit_code=1)
    assert "same" in words
    job = next(iter(client.jobs.list(status="FAILED")))
    assert job.failure is not None
    assert job.failure.exit_code == 65


def test_all_rows_of_a_dataset_are_answered_by_workers_of_a_job(
    deployed: str, stack: Stack, client: aimass.Client
) -> None:
    stack.cli(
        "predict-batch",
        f"{deployed}@1",
        "--dataset",
        "loans-test",
        "--key",
        "repaid",
        "--to",
        "answers",
        "--workers",
        "2",
    )
    answers = {row["row"]: row for row in client.datasets.get_version("answers", 1).rows(limit=100)}
    job = client.jobs.get(client.models.get_version(deployed, 1).job_id)
    own = pq.read_table(io.BytesIO(client.jobs.read_artifact(job.id, "output/test_predictions.parquet") or b""))
    assert client.datasets.get_version("answers", 1).num_rows == own.num_rows
    for row in own.slice(0, 100).to_pylist():
        answer = answers[row["row"]]
        assert (answer["repaid"], answer["label"], answer["error"]) == (row["actual"], row["label"], None)
        assert answer["p_yes"] == pytest.approx(row["p_yes"], abs=1e-6)
