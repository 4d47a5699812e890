"""The container as it runs: worker processes that die, SIGTERM in the middle of a request, gRPC by Triton's client."""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from aimass_core.domain.schemas import ColumnType
from tests.factories.served_models import endless_model, signature_of, table_probability
from tests.integration.serve.server import Server, serving, wait_until
from tests.unit.batch_jobs.serve.bench import AGE, CITY, put_model

# A second or more.
_ROUNDS = 1_500_000


def test_g10_killed_worker_and_sigterm_fail_no_request_that_is_sent_again(tmp_path: Path) -> None:
    put_model(tmp_path)
    body = {"inputs": [AGE, CITY]}
    with serving(tmp_path / "models", "--workers", "2") as server:
        first, second = server.workers()
        num_lost: Counter[int] = Counter()
        num_answered: Counter[int] = Counter()
        is_over = threading.Event()

        def ask(number: int) -> None:
            """As a client that sends again what had no answer."""
            with httpx2.Client(base_url=server.url, timeout=30) as client:
                while not is_over.is_set():
                    try:
                        answer = client.post("/v2/models/adult/infer", json=body)
                    except httpx2.TransportError:
                        num_lost[number] += 1
                        answer = client.post("/v2/models/adult/infer", json=body)
                    assert answer.status_code == 200, answer.text
                    assert answer.json()["outputs"][1]["data"][1] == pytest.approx(
                        table_probability(39, "Oslo"), abs=1e-6
                    )
                    num_answered[number] += 1

        def have_all(num: int) -> bool:
            return len(num_answered) == 6 and min(num_answered.values()) >= num

        def is_replaced() -> bool:
            pids = {each.pid for each in server.workers()}
            return len(pids) == 2 and second.pid in pids and first.pid not in pids and server.is_ready()

        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(ask, number) for number in range(6)]
            try:
                wait_until(lambda: have_all(5), process=server.process, log=server.log)
                first.kill()
                wait_until(is_replaced, process=server.process, log=server.log)
                num_answered.clear()
                wait_until(lambda: have_all(5), process=server.process, log=server.log)
            finally:
                is_over.set()
            for each in asking:
                each.result()
        # What was in its hands, and no more: one request of each connection.
        assert max(num_lost.values(), default=0) <= 1
        assert server.end() == 0
        assert not second.is_running()


def test_g10_stock_client_speaks_grpc_and_what_is_in_hand_is_answered_after_sigterm(tmp_path: Path) -> None:
    signature = signature_of(ColumnType.NUMBER)
    put_model(tmp_path)
    put_model(tmp_path, "slow", model=endless_model(rounds=_ROUNDS), signature=signature)
    with serving(tmp_path / "models", "--workers", "1") as server:
        with triton.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
            _speak(client)
        _end_while_it_answers(server, signature.inputs[0].name)


def test_g14_stream_that_is_cut_goes_on_with_what_had_no_answer(tmp_path: Path) -> None:
    put_model(tmp_path)
    num_requests, num_before = 20, 5
    with serving(tmp_path / "models", "--workers", "1") as server:
        answered: dict[str, float] = {}
        for num_wanted in (num_before, num_requests):
            left = [number for number in range(num_requests) if str(number) not in answered]
            with triton.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
                has_some = threading.Event()

                def keep(
                    result: Any, error: Exception | None, wanted: int = num_wanted, told: threading.Event = has_some
                ) -> None:
                    if result is None or told.is_set():
                        return
                    request_id = result.get_response().id
                    assert request_id not in answered, "an answer comes once"
                    answered[request_id] = float(result.as_numpy("probabilities")[0, 1])
                    if len(answered) == wanted:
                        told.set()

                client.start_stream(keep)
                for number in left:
                    client.async_stream_infer("adult", _inputs(number, "Oslo"), request_id=str(number))
                assert has_some.wait(60)
                client.stop_stream(cancel_requests=True)
            if num_wanted == num_before:
                assert list(answered) == [str(number) for number in range(num_before)], "in order, up to the cut"
        assert list(answered) == [str(number) for number in range(num_requests)]
        for number in range(num_requests):
            assert answered[str(number)] == pytest.approx(table_probability(number, "Oslo"), abs=1e-6)
        assert server.is_ready()


def _end_while_it_answers(server: Server, name: str) -> None:
    body = {"inputs": [{"name": name, "datatype": "FP32", "shape": [1, 1], "data": [0]}]}

    def is_running() -> bool:
        stats = httpx2.get(f"{server.url}/v2/models/slow/stats").json()["model_stats"][0]
        return bool(stats["inference_stats"]["compute_input"]["count"])

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx2.post, f"{server.url}/v2/models/slow/infer", json=body, timeout=60)
        wait_until(is_running, process=server.process, log=server.log)
        assert not asked.done()
        server.process.send_signal(signal.SIGTERM)
        assert asked.result(timeout=60).json()["outputs"][0]["data"] == [0.0]
    assert server.process.wait(timeout=60) == 0
    assert not server.is_ready()


def _speak(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("adult")
    assert not client.is_model_ready("nobody")
    assert client.get_server_metadata().name == "aimass"
    assert [tensor.name for tensor in client.get_model_metadata("adult").inputs] == ["age", "city"]
    assert client.get_model_config("adult").config.backend == "onnxruntime"
    inputs = _inputs(39, "Oslo")
    answer = client.infer("adult", inputs, request_id="7", model_version="1")
    assert answer.get_response().id == "7"
    assert answer.as_numpy("label").tolist() == [b"yes"]
    assert answer.as_numpy("probabilities")[0, 1] == pytest.approx(table_probability(39, "Oslo"), abs=1e-6)
    only = client.infer("adult", inputs, outputs=[triton.InferRequestedOutput("label")])
    assert only.as_numpy("probabilities") is None
    _ask_typed(client)
    statistics = client.get_inference_statistics("adult").model_stats[0]
    assert statistics.inference_stats.success.count == 3
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: client.infer("nobody", inputs), "StatusCode.NOT_FOUND"),
        (lambda: client.infer("adult", inputs[1:]), "StatusCode.INVALID_ARGUMENT"),
        (lambda: client.get_model_metadata("adult", "9"), "StatusCode.NOT_FOUND"),
    ]
    for call, code in refused:
        with pytest.raises(InferenceServerException) as caught:
            call()
        assert caught.value.status() == code
    _stream(client)
    client.unload_model("adult")
    assert [model.state for model in client.get_model_repository_index().models] == ["UNAVAILABLE", "READY"]
    client.load_model("adult")
    assert client.is_model_ready("adult")


def _ask_typed(client: Any) -> None:
    """With typed contents, as KServe's clients send them."""
    from batch_jobs.serve.grpc import inference_pb2 as pb

    request = pb.ModelInferRequest(model_name="adult")
    request.inputs.add(name="age", datatype="FP32", shape=[1, 1]).contents.fp32_contents.append(39)
    request.inputs.add(name="city", datatype="BYTES", shape=[1, 1]).contents.bytes_contents.append(b"Oslo")
    infer = client._channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=pb.ModelInferRequest.SerializeToString,
        response_deserializer=pb.ModelInferResponse.FromString,
    )
    answer = infer(request)
    assert [output.name for output in answer.outputs] == ["label", "probabilities"]
    assert answer.raw_output_contents[0] == b"\x03\0\0\0yes"


def _stream(client: Any) -> None:
    """Answers come in the order of the requests; one that fails ends no other."""
    answers: list[tuple[str | None, str]] = []
    has_all = threading.Event()

    def keep(result: Any, error: Exception | None) -> None:
        answers.append((result.get_response().id if result else None, str(error)))
        if len(answers) == 20:
            has_all.set()

    client.start_stream(keep)
    for number in range(20):
        inputs = _inputs(number, "Oslo")
        client.async_stream_infer("adult", inputs[number == 7 :], request_id=str(number))
    assert has_all.wait(60)
    client.stop_stream()
    assert [known for known, _ in answers] == [None if number == 7 else str(number) for number in range(20)]
    assert "'age' is missing" in answers[7][1]


def _inputs(age: float, city: str) -> list[Any]:
    first, second = triton.InferInput("age", [1, 1], "FP32"), triton.InferInput("city", [1, 1], "BYTES")
    first.set_data_from_numpy(np.array([[age]], np.float32))
    second.set_data_from_numpy(np.array([[city]], object))
    return [first, second]
