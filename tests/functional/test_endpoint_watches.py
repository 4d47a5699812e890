"""From captured requests to a dataset, drift, live metrics, an alarm and a page: the real handlers throughout."""

import json
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.captures import SERVED_ANSWER
from aimass_core.domain.endpoint_counters import Counts, bucket_of
from aimass_core.domain.endpoint_settings import Capture, EndpointSettings
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import PinnedDataset
from aimass_core.inference.capturing.capturing import Capturing
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.services import endpoint_counters, reconciler, records
from functions.predictions.app import make_handler
from tests.factories.served_models import TABLE, Deployed, deploy
from tests.functional.gateway import Api, Gateway
from tests.functional.ingest import ingest
from tests.functional.terminal import Run
from tests.functional.test_datasets import upload

TYPICAL = TABLE.model_copy(update={"inputs": [TABLE.inputs[0].model_copy(update={"typical": 40.0}), TABLE.inputs[1]]})


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    made = Gateway()
    serving = ServingEndpoints(
        made.ports,
        ModelStore(made.ports, tmp_path),
        endpoint_ttl_seconds=0.0,
        capturing=Capturing(made.ports, flush_seconds=0.0),
    )
    made.predictions = make_handler(lambda: serving)
    return made


@pytest.fixture
def deployed(api: Api) -> Deployed:
    """`adult@1`, trained on `adult@1`: ages from 20 to 59, in Oslo and Rome alike."""
    api.post("/v1/datasets", {"name": "adult", "target": "income"})
    rows = [f"{20 + index % 40},{('Oslo', 'Rome')[index % 2]},{('no', 'yes')[index % 2]}" for index in range(400)]
    upload(api, "\n".join(["age,city,income", *rows]).encode())
    dataset = api.get("/v1/datasets/adult/versions/1").json
    made = deploy(api.ports, api.workspace.id, signature=TYPICAL)
    pinned = PinnedDataset(dataset_id=dataset["dataset_id"], dataset_name="adult", number=1, digest=dataset["digest"])
    version = records.save(
        api.ports,
        made.version,
        made.version.model_id,
        made.version.number,
        datasets={"train": pinned},
        metrics={"accuracy": 0.9, "roc_auc": 0.95},
    )
    settings = EndpointSettings(capture=Capture(percent=100, keys=["customer"]))
    endpoint = records.save(api.ports, made.endpoint, settings=settings)
    return Deployed(endpoint=endpoint, version=version)


def ask(api: Api, *, ages: range, city: str | None = None) -> list[dict[str, Any]]:
    """Rows with a customer's number; the answers."""
    rows = [
        {"age": age, "city": city or ("Oslo", "Rome")[number % 2], "customer": number}
        for number, age in enumerate(ages)
    ]
    answer = api.post("/v1/endpoints/adult/predict", {"rows": rows})
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["predictions"]
    return found


def tell_truth(api: Api, truths: list[str], *, key: str = "customer") -> None:
    """What became true of the customers, by number."""
    api.post("/v1/datasets", {"name": "adult-truth"})
    lines = [f"{customer},{truth}" for customer, truth in enumerate(truths)]
    upload(api, "\n".join([f"{key},income", *lines]).encode(), dataset="adult-truth")
    told = api.put("/v1/endpoints/adult/truth", {"dataset": "adult-truth", "key": key})
    assert told.status == 200, told.text


def test_captured_requests_become_a_version_of_a_dataset(api: Api, deployed: Deployed) -> None:
    answers = ask(api, ages=range(30, 50))
    made = api.post("/v1/endpoints/adult/captures", {"dataset": "captured"})
    assert made.status == 202, made.text
    ingest(api)
    version = api.get(made.headers["location"]).json
    assert (version["status"], version["num_rows"]) == ("READY", 20)
    types = {column["name"]: column["type"] for column in version["data_schema"]["columns"]}
    assert types["age"] == types["customer"] == "integer"
    assert (types["served_at"], types["served_answer"], types["served_scores"]) == ("datetime", "string", "series")
    rows = api.get(f"{made.headers['location']}/rows?limit=20").json["rows"]
    assert [row[SERVED_ANSWER] for row in rows] == [answer["label"] for answer in answers]


def test_nothing_captured_is_told_with_how_to_begin(api: Api, deployed: Deployed) -> None:
    records.save(api.ports, deployed.endpoint, settings=EndpointSettings())
    ask(api, ages=range(30, 40))
    refused = api.post("/v1/endpoints/adult/captures", {"dataset": "captured"})
    assert (refused.status, "capture.percent" in refused.json["detail"]) == (404, True)
    wrong = {"dataset": "captured", "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert api.post("/v1/endpoints/adult/captures", wrong).status == 422


def test_drift_is_found_where_values_move_and_not_where_they_stay(api: Api, deployed: Deployed) -> None:
    ask(api, ages=range(20, 60))
    same = api.get("/v1/endpoints/adult/drift").json
    assert (same["num_rows"], same["training"]) == (40, "adult@1")
    assert [column["is_drift"] for column in same["columns"]] == [False, False]
    ask(api, ages=range(60, 400), city="Rome")
    moved = {column["name"]: column for column in api.get("/v1/endpoints/adult/drift").json["columns"]}
    assert moved["age"]["is_drift"]
    assert moved["age"]["psi"] > 1
    assert moved["city"]["is_drift"]


def test_what_became_true_gives_live_metrics(api: Api, deployed: Deployed) -> None:
    answers = ask(api, ages=range(20, 120))
    assert api.get("/v1/endpoints/adult/performance").status == 409
    truths = [answer["label"] if number % 4 else "no" for number, answer in enumerate(answers)]
    tell_truth(api, truths[:90])
    found = api.get("/v1/endpoints/adult/performance").json
    assert (found["num_captured"], found["num_rows"]) == (100, 90)
    right = [truth == answer["label"] for truth, answer in zip(truths[:90], answers, strict=False)]
    assert found["metrics"]["accuracy"] == pytest.approx(sum(right) / 90)
    assert found["in_training"] == {"accuracy": 0.9, "roc_auc": 0.95}
    counts = found["confusion_matrix"]["counts"]
    assert counts[0][0] + counts[1][1] == sum(right)
    assert sum(map(sum, counts)) == 90
    assert sum(each["num_rows"] for each in found["calibration"]["bins"]) == 90
    assert {each["column"] for each in found["slices"]["items"]} == {"age", "city"}
    assert sum(point["num_rows"] for point in found["points"]) == 90


def test_truth_can_be_joined_by_the_id_of_the_answer(api: Api, deployed: Deployed) -> None:
    answer = api.post("/v1/endpoints/adult/predict", {"rows": [{"age": 50, "city": "Rome"}]})
    api.post("/v1/datasets", {"name": "adult-truth"})
    lines = f"served_id,income\n{answer.headers['x-request-id']}-0,yes\nnobody-0,no\n"
    upload(api, lines.encode(), dataset="adult-truth")
    api.put("/v1/endpoints/adult/truth", {"dataset": "adult-truth", "key": "served_id"})
    found = api.get("/v1/endpoints/adult/performance").json
    assert (found["num_rows"], found["metrics"]["accuracy"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"dataset": "nowhere", "key": "customer"}, 404, "nowhere"),
        ({"dataset": "adult", "key": "customer"}, 422, "has no column 'customer'"),
        ({"dataset": "adult", "key": "age", "column": "wage"}, 422, "has no column 'wage'"),
    ],
)
def test_truth_that_cannot_be_read_is_refused(
    api: Api, deployed: Deployed, body: dict[str, Any], status: int, words: str
) -> None:
    refused = api.put("/v1/endpoints/adult/truth", body)
    assert (refused.status, words in refused.json["detail"]) == (status, True), refused.text


# --- traffic and alarms ----------------------------------------------------------------------------------------------


def count(api: Api, deployed: Deployed, *, requests: int, errors: int = 0, milliseconds: float = 6) -> None:
    """Requests as whoever serves counts them."""
    endpoint = records.get(api.ports, Endpoint, api.workspace.id, deployed.endpoint.id)
    assert endpoint.serving is not None
    latencies = Counts().latencies.copy()
    latencies[bucket_of(milliseconds)] = requests - errors
    endpoint_counters.add(
        api.ports,
        endpoint_counters.to_counted(endpoint, endpoint.serving),
        Counts(requests=requests, errors=errors, rows=requests - errors, latencies=latencies),
        minute=api.ports.clock(),
    )


def test_traffic_is_told_by_version_and_time(api: Api, deployed: Deployed) -> None:
    empty = api.get("/v1/endpoints/adult/metrics").json
    assert (empty["total"]["requests"], empty["points"], empty["versions"]) == (0, [], [])
    count(api, deployed, requests=100, errors=10)
    found = api.get("/v1/endpoints/adult/metrics?minutes=30").json
    assert found["total"]["error_rate"] == pytest.approx(0.1)
    assert 5 < found["total"]["p95_ms"] <= 7
    assert [(version["model"], version["requests"]) for version in found["versions"]] == [("adult@1", 100)]
    assert [point["requests"] for point in found["points"]] == [100]
    assert api.get("/v1/endpoints/adult/metrics?minutes=1000000").status == 422


def test_an_alarm_begins_and_ends_and_is_in_the_audit_log(api: Api, deployed: Deployed) -> None:
    limits = {"max_error_rate": 0.05, "max_p95_ms": 100, "window_minutes": 5}
    assert api.put("/v1/endpoints/adult/alarms", limits).json["status"] == "OK"
    assert reconciler.run(api.ports).alarms == 0
    count(api, deployed, requests=100, errors=10)
    assert reconciler.run(api.ports).alarms == 1
    endpoint = api.get("/v1/endpoints/adult").json
    assert (endpoint["status"], endpoint["alarm"]) == ("READY", "ALARM")
    assert "10.00% of 100 requests" in endpoint["alarm_reasons"][0]
    count(api, deployed, requests=1_000)
    assert reconciler.run(api.ports).alarms == 1
    assert api.get("/v1/endpoints/adult/alarms").json["reasons"] == []
    actions = [entry["action"] for entry in api.get("/v1/audit").json["items"]]
    assert [action for action in actions if action.startswith("endpoint.alarm")] == [
        "endpoint.alarm_ended",
        "endpoint.alarm",
    ]


def test_slow_answers_drift_and_a_worse_metric_are_alarms_too(api: Api, deployed: Deployed) -> None:
    answers = ask(api, ages=range(60, 400), city="Rome")
    tell_truth(api, ["no"] * len(answers))
    limits = {"max_p95_ms": 100, "max_drift": 0.25, "metric": "accuracy", "worst_metric": 0.8}
    assert api.put("/v1/endpoints/adult/alarms", limits).status == 200
    count(api, deployed, requests=100, milliseconds=200)
    reconciler.run(api.ports)
    reasons = " ".join(api.get("/v1/endpoints/adult/alarms").json["reasons"])
    for words in ("95 % of 101 requests", "age has moved", "accuracy of 340 rows is 0"):
        assert words in reasons


def test_too_little_is_no_alarm(api: Api, deployed: Deployed) -> None:
    api.put("/v1/endpoints/adult/alarms", {"max_error_rate": 0.0, "max_drift": 0.01})
    count(api, deployed, requests=18, errors=18)
    ask(api, ages=range(80, 90))
    assert reconciler.run(api.ports).alarms == 0


@pytest.mark.parametrize(
    ("limits", "status", "words"),
    [
        ({"metric": "accuracy"}, 422, "together"),
        ({"metric": "rmse", "worst_metric": 1}, 422, "rmse"),
        ({"metric": "accuracy", "worst_metric": 0.5}, 409, "became true"),
        ({"max_error_rate": 2}, 422, "less than or equal to 1"),
    ],
)
def test_limits_that_mean_nothing_are_refused(
    api: Api, deployed: Deployed, limits: dict[str, Any], status: int, words: str
) -> None:
    refused = api.put("/v1/endpoints/adult/alarms", limits)
    assert (refused.status, words in refused.text) == (status, True), refused.text


def test_viewers_look_and_change_nothing(api: Api, deployed: Deployed) -> None:
    viewer = api.as_role("viewer")
    assert viewer.get("/v1/endpoints/adult/metrics").status == 200
    assert viewer.put("/v1/endpoints/adult/alarms", {}).status == 403
    assert viewer.post("/v1/endpoints/adult/captures", {"dataset": "mine"}).status == 403
    assert api.as_stranger().get("/v1/endpoints/adult/drift").status == 404


def test_the_watch_of_a_deleted_endpoint_goes(api: Api, deployed: Deployed) -> None:
    api.put("/v1/endpoints/adult/alarms", {"max_error_rate": 0.5})
    assert api.delete("/v1/endpoints/adult").status == 204
    reconciler.run(api.ports)
    assert reconciler.run(api.ports).faults == 0


# --- the page and the command line -----------------------------------------------------------------------------------


def test_the_page_shows_all_of_it(api: Api, deployed: Deployed) -> None:
    answers = ask(api, ages=range(60, 400), city="Rome")
    tell_truth(api, ["no" if number % 3 else answer["label"] for number, answer in enumerate(answers)])
    count(api, deployed, requests=50, errors=1)
    page = api.get("/v1/endpoints/adult/report.html?minutes=60")
    assert (page.status, page.headers["content-type"]) == (200, "text/html")
    for words in ("Traffic", "95 % took up to", "has moved", "Confusion", "Slices", "expected error", "adult@1"):
        assert words in page.text, words


def test_the_page_of_an_endpoint_that_has_seen_nothing_says_so(api: Api, deployed: Deployed) -> None:
    page = api.get("/v1/endpoints/adult/report.html").text
    for words in ("No request in this time", "Nothing was captured", "Nobody says what became true"):
        assert words in page


def test_the_command_line_shows_it(api: Api, deployed: Deployed, run: Run, tmp_path: Path) -> None:
    ask(api, ages=range(60, 300), city="Rome")
    count(api, deployed, requests=50)
    metrics = json.loads(run("endpoints", "metrics", "adult", "--output", "json").out)
    assert metrics["total"]["requests"] == 51
    assert "age" in run("endpoints", "drift", "adult", "--last", "2h").out
    alarms = run("endpoints", "alarms", "adult", "--max-error-rate", "0.1", "--max-drift", "0.2")
    assert "max_drift=0.2" in alarms.out
    reconciler.run(api.ports)
    assert "age has moved" in run("endpoints", "get", "adult").out
    assert run("endpoints", "alarms", "adult", "--off", "--max-drift", "1").code == 2
    assert "OFF" in run("endpoints", "alarms", "adult", "--off").out
    assert run("endpoints", "report", "adult", "--html", "adult.html").code == 0
    assert "<h1>adult</h1>" in (tmp_path / "adult.html").read_text()
    shown = run("predict", "adult", rows_file(tmp_path), "--explain")
    assert "age +" in shown.out
    assert run("endpoints", "performance", "adult").code == 6


def rows_file(folder: Path) -> str:
    path = folder / "rows.csv"
    path.write_text("age,city\n90,Rome\n")
    return str(path)
