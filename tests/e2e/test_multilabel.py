"""Several labels a row, from a file to served labels: as lists, as text, and as columns of 0 and 1."""

import csv
import json
from pathlib import Path

import numpy as np
from sklearn.datasets import make_multilabel_classification

import aimass
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Task
from tests.stack import Stack

LABELS = ["art", "money", "sport"]
X, Y = make_multilabel_classification(500, 6, n_classes=3, n_labels=1, random_state=1)
ROWS = [{f"f{i}": float(value) for i, value in enumerate(row)} for row in X]
TAGS = [[LABELS[i] for i in np.flatnonzero(row)] for row in Y]


def test_lists_of_labels_become_an_endpoint_that_answers_with_lists(
    stack: Stack, client: aimass.Client, tmp_path: Path
) -> None:
    path = tmp_path / "news.jsonl"
    lines = [json.dumps({**row, "tags": tags}) for row, tags in zip(ROWS[:400], TAGS, strict=False)]
    path.write_text("\n".join(lines), encoding="utf-8")
    stack.cli("datasets", "upload", "news", str(path), "--target", "tags")
    table = stack.cli("train", "news", "--algorithm", "linear")
    assert "SUBSET ACCURACY" in table
    assert "READY" in stack.cli("deploy", "news")
    version = client.models.get_version("news", 1)
    assert version.card is not None
    assert (version.card.task, version.card.primary_metric) == (Task.MULTILABEL, "roc_auc")
    page = version.download(ArtifactName.REPORT, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Labels, the worst first" in page

    answer = client.endpoints.predict("news", ROWS[400:])
    shares = np.array([[p.probabilities[label] for label in LABELS] for p in answer.predictions if p.probabilities])
    assert shares.shape == (100, 3)
    assert ((shares >= 0.5) == Y[400:]).mean() > 0.8
    for prediction, row in zip(answer.predictions, shares, strict=True):
        assert set(prediction.labels or []) == {LABELS[i] for i in np.flatnonzero(row >= 0.5)}

    new = tmp_path / "new.csv"
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS[400:])
    shown = list(csv.DictReader(stack.cli("predict", "news", str(new), "--output", "csv").splitlines()))
    assert [json.loads(line["LABELS"]) for line in shown] == [p.labels for p in answer.predictions]
    assert stack.cli("predict", "news", str(new)).count('["') > 10


def test_columns_of_flags_and_text_are_labels_where_the_job_says_so(
    stack: Stack, client: aimass.Client, tmp_path: Path
) -> None:
    path = tmp_path / "both.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*ROWS[0], "tags", *LABELS])
        for row, tags, flags in zip(ROWS, TAGS, Y.tolist(), strict=True):
            writer.writerow([*row.values(), " ; ".join(tags), *flags])
    stack.cli("datasets", "upload", "both", str(path))
    targets = [word for name in LABELS for word in ("--target", name)]
    stack.cli("train", "both", "-a", "xgboost", *targets, "--exclude", "tags")
    version = client.models.get_version("both", 1)
    assert version.metrics["roc_auc"] > 0.8
    signature = version.deploy().signature
    assert signature is not None
    assert signature.labels == LABELS
    assert [spec.name for spec in signature.inputs] == list(ROWS[0])
    said = {"task": "multilabel", "label_separator": ";", "target": "tags", "exclude_columns": LABELS}
    other = client.jobs.train("both", algorithm="xgboost", **said).wait()
    # The same rows, whichever way their labels were written.
    assert other.metrics == version.metrics
    refused = stack.cli("train", "both", "-a", "lightgbm", *targets, exit_code=3)
    assert "lightgbm does not do multilabel" in refused
