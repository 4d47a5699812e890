"""A worker, asked over HTTP as clients of the protocol and as SageMaker ask it."""

import asyncio
import gzip
import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from aimass_core.domain.endpoint_settings import Batching, EndpointSettings
from aimass_core.domain.signatures import Golden
from aimass_core.inference.serving.elsewhere import to_attributes
from batch_jobs.serve.http.requests import MAX_BODY_BYTES
from tests.factories.served_models import IMAGES, SERIES, image_model, series_model, table_model, table_probability
from tests.unit.batch_jobs.serve.bench import AGE, CITY, Bench, put_model


def play(folder: Path, scene: Callable[[Bench], Awaitable[None]], **options: Any) -> None:
    """Runs a scene with a worker that has loaded what is there."""

    async def run() -> None:
        bench = await Bench(folder, **options).start()
        await scene(bench)
        await bench.worker.stop()

    asyncio.run(run())


def test_protocol_and_rows_are_answered_as_by_the_function(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        answer = (await bench.infer("adult", AGE, CITY)).json
        assert (answer["model_name"], answer["model_version"]) == ("adult", "1")
        assert answer["outputs"][1]["data"][1] == pytest.approx(table_probability(39, "Oslo"), abs=1e-6)
        rows = {"rows": [{"age": 39, "city": "Oslo"}, {"age": "old"}]}
        predictions = (await bench.send("POST", "/v1/endpoints/adult/predict", rows)).json["predictions"]
        assert predictions[0]["label"] == "yes"
        assert "is not a number" in predictions[1]["error"]
        assert (await bench.send("GET", "/v2/models/adult")).json["versions"] == ["1"]
        stats = (await bench.send("GET", "/v2/models/adult/stats")).json
        assert stats["model_stats"][0]["inference_count"] == 1
        wrong = await bench.infer("adult", AGE)
        assert (wrong.status, "'city' is missing" in wrong.json["error"]) == (400, True)
        assert (await bench.infer("nobody", AGE)).status == 404
        assert (await bench.send("GET", "/v2/models/adult/infer")).status == 405

    play(tmp_path, scene)


def test_g11_versions_are_asked_by_number_and_no_batch_mixes_them(tmp_path: Path) -> None:
    put_model(tmp_path, number=1)
    put_model(tmp_path, number=2, model=table_model(scale=20))

    async def scene(bench: Bench) -> None:
        numbers = [None, 1, 2] * 20
        answers = await asyncio.gather(*(bench.infer("adult", AGE, CITY, number=number) for number in numbers))
        scores = {"1": table_probability(39, "Oslo"), "2": answers[0].json["outputs"][1]["data"][1]}
        assert scores["1"] != pytest.approx(scores["2"], abs=0.01)
        for number, answer in zip(numbers, answers, strict=True):
            version = answer.json["model_version"]
            assert version == str(number or 2)
            assert answer.json["outputs"][1]["data"][1] == pytest.approx(scores[version], abs=1e-6)
        assert (await bench.infer("adult", AGE, CITY, number=3)).status == 404

    play(tmp_path, scene)


def test_g10_worker_is_not_ready_before_each_model_has_given_its_golden_answer(tmp_path: Path) -> None:
    put_model(tmp_path)
    golden = Golden(inputs={"age": [[1.0]], "city": [["Oslo"]]}, outputs={"label": ["never"]})

    async def run() -> None:
        bench = Bench(tmp_path)
        await bench.worker.start()
        for path in ("/ping", "/v2/health/ready"):
            early = await bench.send("GET", path)
            assert (early.status, early.json["reason"]) == (503, "the models are being loaded")
        assert (await bench.send("GET", "/v2/health/live")).status == 200
        await bench.worker.loaded()
        assert (await bench.send("GET", "/ping")).status == 200
        await bench.worker.stop()

    asyncio.run(run())
    put_model(tmp_path, "broken", golden=golden)

    async def scene(bench: Bench) -> None:
        ping = await bench.send("GET", "/ping")
        assert (ping.status, "another answer than in training" in ping.json["reason"]) == (503, True)
        assert (await bench.infer("adult", AGE, CITY)).status == 200
        assert (await bench.infer("broken", AGE, CITY)).status == 503
        index = {entry["name"]: entry["state"] for entry in (await bench.send("POST", "/v2/repository/index")).json}
        assert index == {"adult": "READY", "broken": "UNAVAILABLE"}

    play(tmp_path, scene)


def test_models_are_unloaded_and_loaded_with_what_was_added(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        assert (await bench.send("POST", "/v2/repository/models/adult/unload")).status == 200
        assert (await bench.infer("adult", AGE, CITY)).status == 404
        put_model(tmp_path, number=2)
        assert (await bench.send("POST", "/v2/repository/models/adult/load")).status == 200
        assert (await bench.infer("adult", AGE, CITY)).json["model_version"] == "2"
        assert (await bench.send("POST", "/v2/repository/models/nobody/load")).status == 404

    play(tmp_path, scene)


def test_least_recently_used_model_makes_room(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        put_model(tmp_path, name)

    async def scene(bench: Bench) -> None:
        for name in ("one", "two", "one", "three", "one"):
            assert (await bench.infer(name, AGE, CITY)).status == 200
        cache = (await bench.send("GET", "/v2/models/stats")).json["parameters"]["model_cache"]
        assert (cache["num_models"], cache["num_bytes"]) == (2, 2 * len(table_model()))
        assert cache["misses"] <= 3

    play(tmp_path, scene, cache_bytes=2 * len(table_model()))


def test_settings_hold_from_the_next_request_on_in_every_worker(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        other = await Bench(tmp_path).start()
        changed = await bench.send("POST", "/v2/models/adult/settings", {"threshold": 0.9, "batching": {"max_rows": 8}})
        assert changed.json["batching"]["max_rows"] == 8
        for each in (bench, other):
            assert (await each.infer("adult", AGE, CITY)).json["outputs"][0]["data"] == ["no"]
            assert (await each.send("GET", "/v2/models/adult/settings")).json["threshold"] == 0.9
        assert (await other.send("POST", "/v2/models/adult/settings", {"threshold": None})).status == 200
        assert (await bench.infer("adult", AGE, CITY)).json["outputs"][0]["data"] == ["yes"]
        assert (await bench.send("POST", "/v2/models/adult/settings", {"threads": 2})).status == 200
        assert (await other.infer("adult", AGE, CITY)).status == 200
        wrong = await bench.send("POST", "/v2/models/adult/settings", {"threads": 0})
        assert (wrong.status, "threads" in wrong.json["error"]) == (400, True)
        await other.worker.stop()

    play(tmp_path, scene)


def test_sagemaker_invocations_take_json_csv_binary_and_images(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        rows = {"rows": [{"age": 39, "city": "Oslo"}]}
        asked = await bench.send("POST", "/invocations", rows, x_amzn_sagemaker_custom_attributes="trace-id=7")
        assert asked.json["predictions"][0]["label"] == "yes"
        assert asked.headers["x-amzn-sagemaker-custom-attributes"] == "trace-id=7"
        for text in (b"39,Oslo\n,Rome\n", b"age,city\n39,Oslo\n,Rome\n"):
            csv = await bench.send("POST", "/invocations", text, content_type="text/csv", accept="text/csv")
            assert (csv.headers["content-type"], csv.body) == ("text/csv", b"yes\nyes\n")
        assert (await bench.send("POST", "/invocations", {"inputs": [AGE, CITY]})).json["model_name"] == "adult"
        header, content = _to_binary()
        content_type = f"application/vnd.sagemaker-triton.binary+json;json-header-size={header}"
        binary = await bench.send("POST", "/invocations", content, content_type=content_type)
        found, size = binary.headers["content-type"].split("json-header-size=")
        assert found == "application/vnd.sagemaker-triton.binary+json;"
        assert [each["name"] for each in json.loads(binary.body[: int(size)])["outputs"]] == ["label", "probabilities"]
        forwarded = await bench.send(
            "POST",
            "/invocations",
            x_amzn_sagemaker_custom_attributes="aimass-path=/v2/models/adult/config,aimass-method=GET",
        )
        assert forwarded.json["backend"] == "onnxruntime"
        assert (await bench.send("POST", "/invocations", b"x", content_type="application/x-what")).status == 415
        assert (await bench.send("POST", "/invocations", b"{", content_type="application/json")).status == 400

    play(tmp_path, scene)


def test_live_parameters_of_the_endpoint_come_with_the_requests(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        async def ask(settings: EndpointSettings) -> int | None:
            attributes = to_attributes(settings)
            assert attributes is not None
            body = {"inputs": [AGE, CITY]}
            asked = await bench.send("POST", "/invocations", body, x_amzn_sagemaker_custom_attributes=attributes)
            assert asked.status == 200, asked.body
            batching = (await bench.send("GET", "/v2/models/adult/settings")).json["batching"]
            return None if batching is None else int(batching["max_rows"])

        assert await ask(EndpointSettings(version=3, batching=Batching(max_rows=7))) == 7
        assert await ask(EndpointSettings(version=2, batching=Batching(max_rows=9))) == 7, "an older request"
        assert await ask(EndpointSettings(version=4)) is None
        wrong = "aimass-settings=nothing"
        asked = await bench.send("POST", "/invocations", {}, x_amzn_sagemaker_custom_attributes=wrong)
        assert asked.status == 400

    play(tmp_path, scene)


def test_image_is_sent_as_it_is(tmp_path: Path) -> None:
    put_model(tmp_path, "digits", model=image_model(), signature=IMAGES)
    png = io.BytesIO()
    Image.new("RGB", (9, 9), (200, 10, 10)).save(png, "PNG")

    async def scene(bench: Bench) -> None:
        answer = await bench.send("POST", "/invocations", png.getvalue(), content_type="image/png")
        (prediction,) = answer.json["predictions"]
        assert prediction["error"] is None
        assert prediction["value"] > 0

    play(tmp_path, scene)


def test_sagemaker_loads_lists_asks_and_unloads_models(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        put_model(tmp_path, name, None)
    put_model(tmp_path, "broken", None, model=b"PK\x03\x04")
    models = tmp_path / "models"

    async def scene(bench: Bench) -> None:
        async def load(name: str, url: Path) -> int:
            return (await bench.send("POST", "/models", {"model_name": name, "url": str(url)})).status

        assert (await bench.send("GET", "/ping")).status == 200
        assert (await bench.send("GET", "/models")).json == {"models": []}
        assert await load("a", models / "one") == 200
        assert await load("a", models / "two") == 409
        assert await load("b", models / "two") == 200
        assert await load("c", models / "three") == 507
        assert await load("c", tmp_path) == 422
        assert await load("c", models / "broken") == 503
        listed = (await bench.send("GET", "/models")).json["models"]
        assert listed == [
            {"modelName": "a", "modelUrl": str(models / "one")},
            {"modelName": "b", "modelUrl": str(models / "two")},
        ]
        rows = {"rows": [{"age": 39, "city": "Oslo"}]}
        assert (await bench.send("POST", "/models/b/invoke", rows)).json["model_name"] == "b"
        assert (await bench.send("POST", "/models/c/invoke", rows)).status == 404
        assert (await bench.send("DELETE", "/models/a")).status == 200
        assert (await bench.send("DELETE", "/models/a")).status == 404
        assert (await bench.send("GET", "/models/b")).json["modelName"] == "b"
        assert await load("c", models / "three") == 200

    play(tmp_path, scene, is_multi_model=True, cache_bytes=2 * len(table_model()) + 10)


def test_g2_too_large_compressed_and_foreign_requests_are_refused_before_they_are_read(tmp_path: Path) -> None:
    put_model(tmp_path)

    async def scene(bench: Bench) -> None:
        path = "/v2/models/adult/infer"
        said = await bench.send("POST", path, b"{}", content_length=str(MAX_BODY_BYTES + 1))
        assert said.status == 413
        sent = await bench.send("POST", path, bytes(MAX_BODY_BYTES + 1), chunks=40, content_length="1")
        assert sent.status == 413
        bomb = gzip.compress(bytes(MAX_BODY_BYTES + 1))
        assert (await bench.send("POST", path, bomb, content_encoding="gzip")).status == 413
        packed = gzip.compress(json.dumps({"inputs": [AGE, CITY]}).encode())
        assert (await bench.send("POST", path, packed, content_encoding="gzip", chunks=len(packed))).status == 200
        assert (await bench.send("POST", path, b"x", content_type="multipart/form-data; boundary=x")).status == 415
        for host in ("evil.com", "evil.com:8080", "127.0.0.1.evil.com:80"):
            assert (await bench.send("GET", "/v2", host=host)).status == 404
        assert (await bench.send("GET", "/v2", host="localhost:8080")).status == 200

    play(tmp_path, scene)


def test_many_series_and_tables_at_once_get_their_own_answers(tmp_path: Path) -> None:
    put_model(tmp_path)
    put_model(tmp_path, "series", model=series_model(), signature=SERIES)

    async def scene(bench: Bench) -> None:
        async def sum_of(value: int, steps: int) -> None:
            inputs = [
                {"name": name, "datatype": "FP32", "shape": [1, steps], "data": [value] * steps}
                for name in ("left", "right")
            ]
            answer = (await bench.infer("series", *inputs)).json
            assert answer["outputs"][0]["data"] == [11.0 * value * steps]

        async def score_of(age: int) -> None:
            answer = (await bench.infer("adult", {**AGE, "data": [age]}, CITY)).json
            assert answer["outputs"][1]["data"][1] == pytest.approx(table_probability(age, "Oslo"), abs=1e-6)

        sums = [sum_of(value, 1 + value % 3) for value in range(60)]
        await asyncio.gather(*sums, *(score_of(age) for age in range(60)))

    play(tmp_path, scene)


def _to_binary() -> tuple[int, bytes]:
    text = b"Oslo"
    city = len(text).to_bytes(4, "little") + text
    binary = {name: value for name, value in CITY.items() if name != "data"}
    inputs = [AGE, {**binary, "parameters": {"binary_data_size": len(city)}}]
    header = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return len(header), header + city
