"""Rollouts as requests meet them: who answers, that none fails, what is compared and counted; and live parameters."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryCounters
from aimass_core.domain import keys
from aimass_core.domain.common import new_id, utc_now
from aimass_core.domain.endpoint_counters import RolloutCounts
from aimass_core.domain.endpoint_settings import EndpointSettings, LogLevel
from aimass_core.domain.endpoints import Endpoint, EndpointStatus, Rollout, ServedModel
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.rollouts import RolloutPlan
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature
from aimass_core.errors import UnavailableError
from aimass_core.ports import CounterRow
from aimass_core.services import endpoint_counters, records
from tests.factories.served_models import (
    LABELLED,
    TABLE,
    Deployed,
    add_model_version,
    deploy,
    endless_model,
    labels_model,
    number_model,
    picky_model,
    signature_of,
    table_model,
    table_probability,
    to_served,
)
from tests.unit.predictions.bench import Answer, Bench, age, city

MODEL = "x-aimass-model"
NUMBER = signature_of(ColumnType.NUMBER)
ROW = {"age": 39, "city": "Paris"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def deployed(bench: Bench) -> Deployed:
    """`adult@1`."""
    return deploy(bench.ports, bench.workspace_id)


def add(bench: Bench, model: bytes, signature: Signature = TABLE) -> ServedModel:
    """`adult@2`."""
    return to_served(add_model_version(bench.ports, bench.workspace_id, model=model, signature=signature, number=2))


def change(bench: Bench, deployed: Deployed, **changes: Any) -> Endpoint:
    """Saves the endpoint, and lets the process read it again."""
    endpoint = records.get(bench.ports, Endpoint, bench.workspace_id, deployed.endpoint.id)
    saved = records.save(bench.ports, endpoint, endpoint.id, **changes)
    bench.time.now += 2.1
    return saved


def roll_out(bench: Bench, deployed: Deployed, model: bytes, *, signature: Signature = TABLE, **plan: Any) -> Rollout:
    now = utc_now()
    planned = RolloutPlan.model_validate({"percent": 100, **plan})
    rollout = Rollout(
        id=new_id("ro"),
        model=add(bench, model, signature),
        plan=planned,
        percent=planned.percent,
        started_at=now,
        step_at=now,
    )
    change(bench, deployed, rollout=rollout, status=EndpointStatus.ROLLING_OUT)
    return rollout


def counts_of(bench: Bench, deployed: Deployed, rollout: Rollout) -> RolloutCounts:
    bench.endpoints.counting.flush(now=True)
    return endpoint_counters.of_rollout(bench.ports, bench.workspace_id, deployed.endpoint.id, rollout.id)


def ask(bench: Bench, row: dict[str, Any] | None = None, *, customer: str = "") -> Answer:
    headers = {"x-customer": customer} if customer else {}
    answer = bench.post("/v1/endpoints/adult/predict", {"rows": [row or ROW]}, **headers)
    assert answer.status == 200, answer.body
    return answer


def test_a_share_of_the_requests_is_answered_by_the_new_version(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0), percent=50)
    seen = Counter(ask(bench).headers[MODEL] for _ in range(200))
    assert seen.keys() == {"adult@1", "adult@2"}
    assert min(seen.values()) > 50
    counts = counts_of(bench, deployed, rollout)
    assert (counts.candidate.requests, counts.stable.requests) == (seen["adult@2"], seen["adult@1"])
    assert (counts.candidate.errors, counts.candidate.rows) == (0, seen["adult@2"])
    assert counts.candidate.percentile_ms(0.95) is not None


def answered_by_first(bench: Bench) -> Iterator[Answer]:
    for answer in (ask(bench), bench.infer(age(39), city("Paris"))):
        assert answer.status == 200, answer.body
        assert answer.headers[MODEL] == "adult@1"
        yield answer


def test_g8_no_request_fails_that_the_former_version_can_answer(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, picky_model())
    friendly, protocol = answered_by_first(bench)
    wanted = table_probability(39, "Paris")
    assert friendly.json["predictions"][0]["probabilities"]["yes"] == pytest.approx(wanted, abs=1e-6)
    assert (protocol.json["model_version"], friendly.json["model_version"]) == ("1", 1)
    counts = counts_of(bench, deployed, rollout)
    assert (counts.candidate.requests, counts.candidate.errors, counts.stable.errors) == (2, 2, 0)
    assert ask(bench, {"age": 39, "city": "Oslo"}).headers[MODEL] == "adult@2"


def test_g4_a_new_version_that_is_damaged_fails_no_request(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0))
    key = keys.model_object(bench.workspace_id, rollout.model.model_id, 2, ArtifactName.MODEL)
    bench.ports.lake.put(key, b"damaged")
    assert len(list(answered_by_first(bench))) == 2
    assert counts_of(bench, deployed, rollout).candidate.errors == 2


@pytest.mark.parametrize("strategy", ["canary", "shadow"])
def test_a_new_version_that_hangs_leaves_time_for_the_former_one(bench: Bench, strategy: str) -> None:
    deployed = deploy(bench.ports, bench.workspace_id, model=number_model(), signature=NUMBER)
    rollout = roll_out(bench, deployed, endless_model(), signature=NUMBER, strategy=strategy)
    bench.context.milliseconds = 1_600
    answer = ask(bench, {"number": 7})
    assert (answer.headers[MODEL], answer.json["predictions"][0]["value"]) == ("adult@1", 7)
    counts = counts_of(bench, deployed, rollout)
    assert (counts.candidate.requests, counts.candidate.errors) == (1, 1)


def test_an_answer_that_is_no_number_is_a_failure_too(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=0.0))
    answer = ask(bench, {"age": 0, "city": "Oslo"})
    assert answer.headers[MODEL] == "adult@1"
    assert answer.json["predictions"][0]["error"] is None
    assert counts_of(bench, deployed, rollout).candidate.errors == 1


def test_what_is_wrong_with_a_request_is_no_fault_of_the_new_version(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0))
    assert bench.predict({"height": 3}).status == 422
    assert bench.infer(age(39)).status == 400
    counts = counts_of(bench, deployed, rollout)
    assert (counts.candidate.errors, counts.stable.errors) == (0, 0)
    assert counts.stable.refused == 2


def test_with_a_guard_for_it_answers_are_compared(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0), guards={"max_disagreement": 0.1})
    rows: list[dict[str, Any]] = [{"age": 39, "city": "Paris"}, {"age": 39, "city": "Rome"}, {"age": "old"}]
    answer = bench.predict(*rows)
    assert (answer.status, answer.headers[MODEL]) == (200, "adult@2")
    assert bench.infer(age(39, 1), city("Paris", "Rome")).json["model_version"] == "2"
    counts = counts_of(bench, deployed, rollout).candidate
    assert (counts.compared, counts.disagreed, counts.row_errors) == (4, 2, 1), "without the row that none can read"


def test_a_shadow_is_asked_and_answers_nobody(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0), strategy="shadow")
    list(answered_by_first(bench))
    counts = counts_of(bench, deployed, rollout)
    assert (counts.candidate.requests, counts.candidate.disagreed, counts.stable.requests) == (2, 2, 2)
    now = bench.ports.clock()
    minutes = endpoint_counters.list_minutes(
        bench.ports, bench.workspace_id, deployed.endpoint.id, since=rollout.started_at, until=now
    )
    found = {(each.number, each.is_shadow): each.counts.requests for each in minutes}
    assert found == {(1, False): 2, (2, True): 2}


def test_a_shadow_that_fails_is_counted_and_harms_nobody(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, picky_model(), strategy="shadow")
    list(answered_by_first(bench))
    assert counts_of(bench, deployed, rollout).candidate.errors == 2


def test_who_sticks_to_a_version_gets_it_always_and_more_do_with_each_step(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0), percent=30)
    change(bench, deployed, settings=EndpointSettings(sticky_by="header:x-customer"))

    def chosen() -> set[str]:
        answers = {name: {ask(bench, customer=name).headers[MODEL] for _ in range(3)} for name in names}
        assert all(len(versions) == 1 for versions in answers.values())
        return {name for name, versions in answers.items() if versions == {"adult@2"}}

    names = [f"customer-{number}" for number in range(60)]
    first = chosen()
    assert 5 < len(first) < 40
    change(bench, deployed, rollout=rollout.model_copy(update={"percent": 70.0}))
    second = chosen()
    assert first < second
    change(bench, deployed, settings=EndpointSettings(sticky_by="api-key"))
    assert len({ask(bench).headers[MODEL] for _ in range(20)}) == 1


def test_both_versions_can_be_asked_for_by_number_and_are_not_judged_by_that(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0), percent=1)
    document = {"inputs": [age(39), city("Paris")]}
    for number in ("1", "2"):
        answer = bench.post(f"/v2/models/adult/versions/{number}/infer", document)
        assert (answer.json["model_version"], answer.headers[MODEL]) == (number, f"adult@{number}")
    assert bench.post("/v2/models/adult/versions/3/infer", document).status == 404
    counts = counts_of(bench, deployed, rollout)
    assert (counts.stable.requests, counts.candidate.requests) == (0, 0)
    assert sorted(bench.get("/v2/models/adult").json["versions"]) == ["1", "2"]


def test_g11_each_answer_is_of_the_version_that_it_names_while_versions_change(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    second = add(bench, table_model(scale=10.0))
    wanted = {"adult@1": table_probability(39, "Paris"), "adult@2": table_probability(390, "Paris")}
    faults: list[str] = []
    seen: set[str] = set()
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            answer = ask(bench)
            name = answer.headers[MODEL]
            seen.add(name)
            given = answer.json["predictions"][0]["probabilities"]["yes"]
            if abs(given - wanted[name]) > 1e-5 or f"adult@{answer.json['model_version']}" != name:
                faults.append(f"{name} says {given}")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        change(bench, deployed, serving=second if turn % 2 == 0 else deployed.endpoint.serving)
        ask(bench)
    ended.set()
    for thread in threads:
        thread.join()
    assert not faults
    assert seen == wanted.keys()


def test_counts_are_written_within_a_request_at_most_every_two_seconds(bench: Bench, deployed: Deployed) -> None:
    def written() -> int:
        now = bench.ports.clock()
        found = endpoint_counters.list_minutes(
            bench.ports, bench.workspace_id, deployed.endpoint.id, since=deployed.endpoint.created_at, until=now
        )
        return sum(each.counts.requests for each in found)

    bench.time.now = 10
    ask(bench)
    assert written() == 1
    bench.time.now += 1.9
    ask(bench)
    assert written() == 1
    bench.time.now += 0.1
    ask(bench)
    assert written() == 3


def test_with_many_endpoints_no_request_writes_the_counts_of_all_and_all_are_written_in_time(bench: Bench) -> None:
    names = [f"model-{number}" for number in range(35)]
    made = {name: deploy(bench.ports, bench.workspace_id, name=name).endpoint for name in names}

    def num_written() -> int:
        now = bench.ports.clock()
        return sum(
            bool(endpoint_counters.list_minutes(bench.ports, bench.workspace_id, each.id, since=since, until=now))
            for each in made.values()
        )

    since = bench.ports.clock()
    for name in names:
        assert bench.predict(ROW, name=name).status == 200
    assert num_written() == 1
    written = []
    bench.time.now += 2.0
    for _ in range(5):
        assert bench.predict(ROW, name=names[0]).status == 200
        written.append(num_written())
        bench.time.now += 0.1
    assert written == [11, 21, 31, 35, 35]


def test_counts_that_cannot_be_written_fail_no_request_and_come_later(bench: Bench, deployed: Deployed) -> None:
    rollout = roll_out(bench, deployed, table_model(scale=1.0))

    class Down(MemoryCounters):
        def add(self, row: CounterRow, *, resource: str, expires_at: datetime) -> None:
            raise UnavailableError("The counters cannot be reached.")

    working, bench.ports.counters = bench.ports.counters, Down()
    for _ in range(3):
        ask(bench)
        bench.time.now += 2
    bench.ports.counters = working
    ask(bench)
    assert counts_of(bench, deployed, rollout).candidate.requests == 4


# --- live parameters --------------------------------------------------------------------------------------------------


def label_of(bench: Bench) -> str:
    label = str(ask(bench).json["predictions"][0]["label"])
    outputs = bench.infer(age(39), city("Paris"), outputs=[{"name": "label"}]).json["outputs"]
    assert [(each["name"], each["data"]) for each in outputs] == [("label", [label])]
    return label


def test_a_threshold_changes_labels_within_seconds_and_nothing_else(bench: Bench, deployed: Deployed) -> None:
    score = table_probability(39, "Paris")
    assert 0.3 < score < 0.5
    assert label_of(bench) == "no"
    for threshold, label in ((0.3, "yes"), (0.4, "no"), (None, "no")):
        change(bench, deployed, settings=EndpointSettings(threshold=threshold))
        assert label_of(bench) == label
        prediction = ask(bench).json["predictions"][0]
        assert prediction["probability"] == pytest.approx(score if label == "yes" else 1 - score, abs=1e-6)


def test_a_threshold_counts_for_each_label_of_a_multilabel_model(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id, model=labels_model(), signature=LABELLED)
    row = {"x": 0.9}
    assert ask(bench, row).json["predictions"][0]["labels"] == ["higher"]
    change(bench, deployed, settings=EndpointSettings(threshold=0.4))
    assert ask(bench, row).json["predictions"][0]["labels"] == ["higher", "high"]


def test_threads_change_without_anything_being_fetched(bench: Bench, deployed: Deployed) -> None:
    ask(bench)
    change(bench, deployed, settings=EndpointSettings(threads=2))
    key = keys.model_object(bench.workspace_id, deployed.version.model_id, 1, ArtifactName.MODEL)
    body = bench.ports.lake.get(key)
    bench.ports.lake.delete(key)
    assert ask(bench).json["predictions"][0]["label"] == "no"
    bench.ports.lake.put(key, body)
    served = bench.endpoints.serve(bench.workspace_id, "adult")
    session = served.model.session  # type: ignore[attr-defined]
    assert session.get_session_options().intra_op_num_threads == 2


def test_a_request_gets_no_more_time_than_the_settings_say(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id, model=endless_model(), signature=NUMBER)
    change(bench, deployed, settings=EndpointSettings(timeout_seconds=0.1))
    assert bench.predict({"number": 7}).status == 504


@pytest.mark.parametrize("level", list(LogLevel))
def test_the_log_level_says_what_is_logged_of_requests(
    bench: Bench, deployed: Deployed, level: LogLevel, capsys: pytest.CaptureFixture[str]
) -> None:
    change(bench, deployed, settings=EndpointSettings(log_level=level))
    capsys.readouterr()
    ask(bench)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    requests = [line for line in told if line.get("message") == "request"]
    assert len(requests) == (0 if level is LogLevel.WARNING else 1)
    details = [(line.get("model"), line.get("num_rows")) for line in requests]
    assert details == {LogLevel.DEBUG: [("adult@1", 1)], LogLevel.INFO: [(None, None)], LogLevel.WARNING: []}[level]
    assert bench.predict({"height": 3}).status == 422
    assert '"status":422' in capsys.readouterr().out.replace(" ", ""), "what fails is logged in any case"
