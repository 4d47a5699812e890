"""The contract with the emulator: an upgrade that breaks a patch fails here, and at start."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ministack.core import lambda_runtime, responses
from ministack.services import cloudwatch_logs, dynamodb, eventbridge, lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

from aimass_local import emulator
from aimass_local.emulator import EmulatorChangedError, EmulatorState, states
from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.journal import Journal
from tests.stack import wait_until

pytestmark = pytest.mark.usefixtures("emulator_state")


def test_the_emulator_is_the_pinned_version() -> None:
    assert version("ministack") == emulator.PINNED_VERSION == "1.5.33"


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(emulator, "PINNED_VERSION", "1.5.34")
    with pytest.raises(EmulatorChangedError, match=r"1\.5\.33 instead of 1\.5\.34"):
        emulator.install_patches(max_workers_per_function=1, multipart_path=tmp_path, journal=Journal(tmp_path))


def test_another_worker_script_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "def run(): ...")
    with pytest.raises(EmulatorChangedError, match="worker script"):
        emulator.install_patches(max_workers_per_function=1, multipart_path=tmp_path, journal=Journal(tmp_path))


def test_the_patched_worker_script_is_python() -> None:
    compile(lambda_runtime._PYTHON_WORKER_SCRIPT, "worker", "exec")


# The emulator closes no pipe of a worker that has died.
_unclosed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
_DYING = """
import os, pathlib, signal, time

deaths = pathlib.Path(os.environ["DEATHS"])
if left := int(deaths.read_text()):
    deaths.write_text(str(left - 1))
    os.kill(os.getpid(), signal.SIGKILL)
with deaths.with_name("beginnings").open("a") as file:
    file.write("(")
    file.flush()
    time.sleep(0.3)
    file.write(")")


def handler(event, context):
    while event.get("until") and not pathlib.Path(event["until"]).exists():
        time.sleep(0.01)
    return event
"""


def _dying(deaths: Path) -> dict[str, Any]:
    """A function whose next workers die while they begin: so many as the file says."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("main.py", _DYING)
    config = {
        "FunctionName": "dying",
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:dying",
        "Handler": "main.handler",
        "Runtime": "python3.11",
        "Timeout": 60,
        "Environment": {"Variables": {"DEATHS": str(deaths)}},
    }
    return {"config": config, "code_zip": body.getvalue()}


@_unclosed
def test_a_worker_that_dies_while_it_begins_begins_once_more(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("1")
    function = _dying(tmp_path / "deaths")
    try:
        assert lambda_svc._execute_function_warm(function, {"a": 1}, "request")["body"] == {"a": 1}
    finally:
        lambda_runtime.reset()
    assert (tmp_path / "deaths").read_text() == "0"


@_unclosed
def test_a_worker_that_dies_leaves_those_of_other_requests_alone(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("0")
    function = _dying(tmp_path / "deaths")
    try:
        other, _ = lambda_runtime.acquire_worker("dying", function["config"], function["code_zip"])
        assert other.invoke({"a": 1}, "request")["result"] == {"a": 1}
        (tmp_path / "deaths").write_text("2")
        assert lambda_svc._execute_function_warm(function, {"a": 2}, "request")["error"]
        assert other._proc.poll() is None
        assert lambda_svc._execute_function_warm(function, {"a": 3}, "request")["body"] == {"a": 3}
    finally:
        lambda_runtime.reset()


@_unclosed
def test_a_worker_whose_function_is_replaced_ends_what_it_is_at(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("0")
    function, event = _dying(tmp_path / "deaths"), {"until": str(tmp_path / "until")}
    try:
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(lambda_svc._execute_function_warm, function, event, "request")
            (worker,) = wait_until(lambda: [each for each in _workers_of("dying") if each._start_time])
            lambda_svc.invalidate_worker("dying")
            assert _workers_of("dying") == []
            (tmp_path / "until").touch()
            assert answer.result()["body"] == event
        assert worker._proc is None, "nobody has another request for it"
    finally:
        emulator.stop_workers()


@_unclosed
def test_workers_of_a_function_begin_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("0")
    function = _dying(tmp_path / "deaths")
    try:
        with ThreadPoolExecutor() as pool:
            answers = [
                pool.submit(lambda_svc._execute_function_warm, function, {"number": number}, "request")
                for number in range(4)
            ]
            assert [answer.result()["body"]["number"] for answer in answers] == list(range(4))
        assert (tmp_path / "beginnings").read_text() in {"()", "()()"}
    finally:
        emulator.stop_workers()


@_unclosed
def test_nobody_is_given_a_worker_that_has_died_where_there_are_others(tmp_path: Path) -> None:
    (tmp_path / "deaths").write_text("0")
    function = _dying(tmp_path / "deaths")
    try:
        workers = []
        for _ in range(2):
            worker, _ = lambda_svc.acquire_worker("dying", function["config"], function["code_zip"])
            worker.invoke({}, "request")
            workers.append(worker)
        for worker in workers:
            lambda_svc.release_worker(worker)
        dead, alive = workers
        dead._proc.kill()
        dead._proc.wait()
        assert lambda_svc._execute_function_warm(function, {"a": 1}, "request")["body"] == {"a": 1}
        assert _workers_of("dying") == [alive]
        assert (tmp_path / "beginnings").read_text() == "()()"
    finally:
        emulator.stop_workers()


def _workers_of(name: str) -> list[Any]:
    return [worker for key, workers in lambda_runtime._workers.items() if name in key.split(":") for worker in workers]


def test_events_reach_the_dispatcher_off_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[dict[str, Any], str, str]] = []
    arrived = threading.Event()

    def dispatch(event: dict[str, Any]) -> None:
        seen.append((event, responses.get_account_id(), threading.current_thread().name))
        arrived.set()

    monkeypatch.setattr(eventbridge, "_dispatch_event", dispatch)
    emulator.emit_event(
        {
            "source": "aws.batch",
            "detail-type": "Batch Job State Change",
            "detail": {"status": "FAILED"},
            "resources": ["a"],
        }
    )
    assert arrived.wait(timeout=120)
    event, account, thread = seen[0]
    assert (event["Source"], event["DetailType"], json.loads(event["Detail"])) == (
        "aws.batch",
        "Batch Job State Change",
        {"status": "FAILED"},
    )
    assert account == ACCOUNT_ID
    assert thread != threading.current_thread().name


def test_log_events_make_their_group_and_stream() -> None:
    emulator.put_log_events("/group", "stream", [{"timestamp": 1, "message": "one"}])
    emulator.put_log_events("/group", "stream", [{"timestamp": 2, "message": "two"}])
    group = cloudwatch_logs._log_groups._data[(ACCOUNT_ID, REGION, "/group")]
    assert [event["message"] for event in group["streams"]["stream"]["events"]] == ["one", "two"]


def test_trimming_keeps_the_newest_streams() -> None:
    for number in range(5):
        emulator.put_log_events("/trimmed", f"stream {number}", [{"timestamp": number, "message": "x"}])
        group = cloudwatch_logs._log_groups._data[(ACCOUNT_ID, REGION, "/trimmed")]
        group["streams"][f"stream {number}"]["creationTime"] = number
    states.trim_logs(max_streams=2, max_events=1000)
    assert sorted(group["streams"]) == ["stream 3", "stream 4"]


def test_registered_services_are_known_to_cloudformation_and_step_functions() -> None:
    handlers: dict[str, Any] = {"create": lambda *_: ("id", {}), "delete": lambda *_: None}
    emulator.register_cloudformation("AWS::Sample::Thing", handlers)
    emulator.register_step_functions("arn:aws:states:::sample:do", lambda resource, data: data)
    assert provisioners._provision_resource("AWS::Sample::Thing", "Thing", {}, "Stack") == ("id", {})
    assert stepfunctions._SERVICE_DISPATCH["arn:aws:states:::sample:do"]("r", {"a": 1}) == {"a": 1}


def test_dynamodb_is_encoded_as_the_emulator_itself_would(emulator_state: EmulatorState) -> None:
    table = {"TableName": "items", "items": {"a": {"b": {"pk": {"S": "a"}}}}, dynamodb._INDEX_MEMBERS: object()}
    dynamodb._tables._data[(ACCOUNT_ID, REGION, "items")] = table
    dynamodb._tags._data[(ACCOUNT_ID, REGION, "arn")] = [{"Key": "k", "Value": "v"}]
    try:
        snapshot = asyncio.run(emulator_state.snapshot({"dynamodb"}))
        assert snapshot.states["dynamodb"] == states.encode_state("dynamodb", dynamodb.get_state())
    finally:
        dynamodb._tables._data.clear()
        dynamodb._tags._data.clear()


def test_waiting_stream_records_are_part_of_the_state(emulator_state: EmulatorState) -> None:
    table = (ACCOUNT_ID, REGION, "items")
    mapping = (ACCOUNT_ID, REGION, "mapping")
    source = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/items/stream/2026"
    lambda_svc._esms._data[mapping] = {"EventSourceArn": source, "UUID": "mapping"}
    lambda_svc._dynamodb_stream_positions._data[mapping] = 12
    dynamodb._stream_trimmed._data[table] = 10
    dynamodb._stream_records._data[table] = [{"eventID": str(number)} for number in range(10, 15)]
    try:
        snapshot = asyncio.run(emulator_state.snapshot({states.STREAM_RECORDS_KEY}))
        waiting_records = snapshot.states[states.STREAM_RECORDS_KEY]
        encoded = json.loads(emulator_state.encode_state(states.STREAM_RECORDS_KEY, waiting_records))
    finally:
        for store in (
            lambda_svc._esms,
            lambda_svc._dynamodb_stream_positions,
            dynamodb._stream_trimmed,
            dynamodb._stream_records,
        ):
            store._data.clear()
    (waiting,) = encoded["payload"]["records"]["data"].values()
    assert [record["eventID"] for record in waiting] == ["12", "13", "14"]


def test_a_state_that_changes_while_it_is_copied_is_copied_again() -> None:
    attempts = iter([RuntimeError("dictionary changed size during iteration")] * 3)

    def copy() -> str:
        for error in attempts:
            raise error
        return "copied"

    assert asyncio.run(states._copy_state(copy)) == "copied"
