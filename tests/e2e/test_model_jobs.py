"""Compression, fusion and decomposition through the front door: each by one command, from models that a user has
trained to an endpoint that answers as the job did."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import aimass
from tests.stack import Stack

DATA = "shrunk"


@pytest.fixture(scope="module")
def trained(stack: Stack, loans: tuple[Path, Path]) -> None:
    """Two models of one dataset, which have kept some of its rows and another dataset to be judged by."""
    stack.cli("datasets", "upload", DATA, str(loans[0]), "--target", "repaid")
    stack.cli("datasets", "upload", f"{DATA}-test", str(loans[1]), "--target", "repaid")
    for algorithm in ("xgboost", "linear"):
        stack.cli("train", DATA, "-a", algorithm, "--test", f"{DATA}-test", "--model", f"{DATA}-{algorithm}")


@pytest.mark.parametrize(
    ("command", "document"),
    [
        (("compress", f"{DATA}-xgboost", "--methods", "trimming", "--max-metric-drop", "0.05"), "compression"),
        (("fuse", f"{DATA}-xgboost", f"{DATA}-linear", "--method", "averaging"), "fusion"),
        (("decompose", DATA, "--method", "tree", "--experts", "2", "--test", f"{DATA}-test"), "decomposition"),
    ],
    ids=lambda given: given if isinstance(given, str) else given[0],
)
def test_one_command_leaves_an_endpoint_that_answers_as_the_job_did(
    trained: None,
    stack: Stack,
    client: aimass.Client,
    loans: tuple[Path, Path],
    tmp_path: Path,
    command: tuple[str, ...],
    document: str,
) -> None:
    name = f"{DATA}-{document}"
    shown = stack.cli(*command, "--model", name, "--budget", "5m", "--deploy", "-o", "json")
    job = client.jobs.get(json.loads(shown)["id"])
    version = client.models.get_version(name, 1)
    assert version.job_id == job.id
    assert getattr(job, document)(), "it tells what was tried"
    assert b"<svg" in job.plot(tmp_path / "plot.html").read_bytes()
    body = client.jobs.read_artifact(job.id, "output/test_predictions.parquet")
    assert body is not None
    own = pq.read_table(io.BytesIO(body)).to_pylist()
    with loans[1].open(newline="", encoding="utf-8") as file:
        rows = [{column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)]
    served = client.endpoints.predict(name, rows)
    assert (served.model_name, served.model_version, len(own)) == (name, 1, len(rows))
    assert [found.label for found in served.predictions] == [row["label"] for row in own]
    for found, row in zip(served.predictions, own, strict=True):
        assert found.probabilities is not None
        assert found.probabilities["yes"] == pytest.approx(row["p_yes"], abs=1e-4)


def test_what_it_was_made_of_goes_on(
    trained: None, stack: Stack, client: aimass.Client, loans: tuple[Path, Path]
) -> None:
    """FAULTS F5: nothing meets a limit of one byte; the job says so and fails, and the original is served as before."""
    original = f"{DATA}-xgboost"
    assert "READY" in stack.cli("deploy", original)
    command = ("compress", original, "--methods", "trimming", "--max-model-bytes", "1", "--budget", "5m", "--deploy")
    said = stack.cli(*command, exit_code=1)
    assert "Nothing meets the limits" in said
    assert "max_model_bytes = " in said, "what would be met"
    assert [version.number for version in client.models.versions(original)] == [1]
    served = client.endpoints.get(original).serving
    assert served is not None
    assert (served.model_name, served.number) == (original, 1)
