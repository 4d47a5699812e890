"""Recipes on Spark through the whole platform: the job stands in for a run of EMR Serverless, which PySpark does here.

An environment on AWS has its application by the settings; here one is made, and named in a revision of the job
definition, as the stack would.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

import aimass
from tests.stack import Stack, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        find_spec("pyspark") is None or shutil.which("java") is None, reason="needs Java and PySpark: make test-spark"
    ),
]

DEFINITION = "aimass-batch-jobs"
ROLE = "arn:aws:iam::000000000000:role/aimass-spark-recipes"
STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "parse", "columns": ["price"], "to": "number", "decimal": ",", "strip": "€"},
    {"do": "filter", "where": "id >= 10"},
    {"do": "dedupe"},
    {"do": "join", "dataset": "spark-cities", "keys": ["city"]},
    {"do": "dedupe_near", "columns": ["note"], "threshold": 0.9},
    {"do": "split", "parts": {"train": 0.8, "test": 0.2}},
]


@pytest.fixture(scope="module")
def offers(client: aimass.Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("offers")
    notes = [f"{'abcdefghij'[index % 10] * 6} {index * 7919} {'klmnopqrst'[index % 7] * 5}" for index in range(100)]
    lines = [f'{index},"{index},50 €", {"Bonn" if index % 3 else "Ulm"} ,{notes[index]}' for index in range(100)]
    lines += ["100,much,Ulm,x", '99,"99,50 €",Bonn,doubled']
    (folder / "offers.csv").write_text("id,price,city,note\n" + "\n".join(lines) + "\n")
    (folder / "cities.csv").write_text("city,height\nBonn,60\nUlm,478\n")
    client.datasets.upload(folder / "offers.csv", name="spark-offers").wait()
    client.datasets.upload(folder / "cities.csv", name="spark-cities").wait()
    return "spark-offers"


@contextmanager
def recipes_on_spark(stack: Stack) -> Iterator[str]:
    """The application whose all recipes are within it."""
    batch, spark = stack.aws("batch"), stack.aws("emr-serverless")
    made = spark.create_application(name="aimass", releaseLabel="emr-7.9.0", type="SPARK")
    application_id = str(made["applicationId"])
    found = batch.describe_job_definitions(jobDefinitionName=DEFINITION, status="ACTIVE")["jobDefinitions"]
    newest = max(found, key=lambda each: each["revision"])
    variables = {"ABOVE_BYTES": "0", "APPLICATION_ID": application_id, "ROLE_ARN": ROLE}
    container = newest["containerProperties"]
    container["environment"] += [{"name": f"AIMASS_SPARK_{name}", "value": each} for name, each in variables.items()]
    kept = ("jobDefinitionName", "type", "retryStrategy", "timeout")
    fields = {name: newest[name] for name in kept if name in newest}
    registered = batch.register_job_definition(**fields, containerProperties=container)
    try:
        yield application_id
    finally:
        batch.deregister_job_definition(jobDefinition=registered["jobDefinitionArn"])


@pytest.fixture
def application(stack: Stack) -> Iterator[str]:
    with recipes_on_spark(stack) as application_id:
        yield application_id


def rows_of(client: aimass.Client, dataset: str) -> list[list[Any]]:
    return [list(row) for row in client.datasets.query(f'select * from "{dataset}" order by id')]


def test_rows_reports_and_quarantine_are_those_of_duckdb(client: aimass.Client, offers: str, stack: Stack) -> None:
    ours = client.jobs.prepare(offers, STEPS, output="on-duckdb").wait().preparation()
    with recipes_on_spark(stack) as application:
        done = client.jobs.prepare(offers, STEPS, output="on-spark").wait()
        runs = stack.aws("emr-serverless").list_job_runs(applicationId=application)["jobRuns"]
    theirs = done.preparation()
    assert (ours.engine, theirs.engine) == ("duckdb", "spark")
    assert theirs.steps == ours.steps
    assert theirs.num_quarantined == 1
    for part in ("train", "test"):
        rows = rows_of(client, f"on-spark-{part}")
        assert rows == rows_of(client, f"on-duckdb-{part}")
        assert rows
    assert [(run["name"], run["state"]) for run in runs] == [(done.id, "SUCCESS")]
    prefix = f"jobs/{done.workspace_id}/{done.id}/spark/"
    left = stack.aws("s3").list_objects_v2(Bucket=stack.outputs["LakeBucketName"], Prefix=prefix)
    assert left["KeyCount"] == 0
    told = [event.data["message"] for event in done.all_events() if event.data.get("phase") == "prepare"]
    assert any(words.startswith("Spark: Job ") for words in told)


def test_a_step_that_does_not_fit_the_data_fails_the_job_in_its_words(
    client: aimass.Client, offers: str, application: str
) -> None:
    steps = [{"do": "trim"}, {"do": "cast", "columns": {"price": "integer"}, "on_error": "stop"}]
    with pytest.raises(aimass.JobFailedError, match=r"Step 2 \(cast\): step 2 stops at 102 rows, such as row 1"):
        client.jobs.prepare(offers, steps, output="never").wait()


def test_d9_a_stopped_job_stops_its_run(client: aimass.Client, offers: str, application: str, stack: Stack) -> None:
    job = client.jobs.prepare(offers, STEPS, output="never")
    service = stack.aws("emr-serverless")

    def run_state() -> str:
        found = service.list_job_runs(applicationId=application)["jobRuns"]
        return str(found[0]["state"]) if found else ""

    wait_until(lambda: run_state() == "RUNNING")
    client.jobs.stop(job.id)
    wait_until(lambda: client.jobs.get(job.id).status == "STOPPED")
    wait_until(lambda: run_state() == "CANCELLED")
