"""Triton's extensions beside inference: classification, the model repository, logging and trace settings."""

from typing import Any

import pytest

from tests.factories.served_models import IMAGES, deploy, image_model, table_probability
from tests.unit.predictions.bench import Bench, age, city


@pytest.fixture
def bench() -> Bench:
    made = Bench(role="developer")
    deploy(made.ports, made.workspace_id, number=3)
    return made


def classes(bench: Bench, count: Any, name: str = "probabilities") -> Any:
    return bench.infer(
        age(39, 20), city("Oslo", "Rome"), outputs=[{"name": name, "parameters": {"classification": count}}]
    )


def cache_of(bench: Bench) -> dict[str, Any]:
    return dict(bench.get("/v2/models/adult/stats").json["parameters"]["model_cache"])


def test_output_as_its_highest_classes(bench: Bench) -> None:
    first, second = table_probability(39, "Oslo"), table_probability(20, "Rome")
    (output,) = classes(bench, 1).json["outputs"]
    assert output == {
        "name": "probabilities",
        "datatype": "BYTES",
        "shape": [2, 1],
        "data": [f"{max(p, 1 - p):f}:{int(p > 0.5)}:{'yes' if p > 0.5 else 'no'}" for p in (first, second)],
    }
    (output,) = classes(bench, 9).json["outputs"]
    assert output["shape"] == [2, 2]
    assert [text.partition(":")[2] for text in output["data"][:2]] == ["1:yes", "0:no"]
    assert classes(bench, 0).json["outputs"][0]["datatype"] == "FP32"


def test_classes_of_an_output_without_any_are_refused() -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, model=image_model(), signature=IMAGES)
    image = {"name": "image", "datatype": "UINT8", "shape": [1, 4, 6, 1], "data": [0] * 24}
    answer = bench.infer(image, outputs=[{"name": "value", "parameters": {"classification": 1}}])
    assert answer.status == 400
    assert "'value' cannot be given as classes" in answer.error


def test_load_and_unload_change_what_this_process_holds_and_nothing_else(bench: Bench) -> None:
    assert bench.post("/v2/repository/models/adult/load", {}).json == {}
    assert cache_of(bench)["num_models"] == 1
    assert bench.post("/v2/repository/models/adult/unload", {"parameters": {"unload_dependents": True}}).json == {}
    assert cache_of(bench)["num_models"] == 0
    assert bench.infer(age(39), city("Oslo")).status == 200
    assert bench.infer(age(39), city("Oslo")).status == 200
    counts = cache_of(bench)
    assert (counts["misses"], counts["hits"], counts["hit_rate"]) == (2, 1, 0.3333)
    assert counts["num_bytes"] > 0


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"parameters": {"config": "{}"}}, "'config' cannot be given"),
        ({"parameters": {"file:1/model.onnx": "AAAA"}}, "'file:1/model.onnx' cannot be given"),
        ({"parameters": 1}, "an object"),
        ({"ready": True}, 'only hold "parameters"'),
    ],
    ids=str,
)
def test_models_are_loaded_as_they_were_registered(bench: Bench, body: Any, word: str) -> None:
    answer = bench.post("/v2/repository/models/adult/load", body)
    assert answer.status == 400
    assert word in answer.error


def test_viewers_load_nothing_and_what_is_absent_is_not_found(bench: Bench) -> None:
    assert bench.post("/v2/repository/models/nobody/load", {}).status == 404
    assert bench.post("/v2/repository/models/nobody/unload", {}).status == 404
    bench.role = "viewer"
    answer = bench.post("/v2/repository/models/adult/unload", {})
    assert answer.status == 403
    assert "developer" in answer.error


def test_caches_of_other_workspaces_are_not_told(bench: Bench) -> None:
    bench.infer(age(39), city("Oslo"))
    strange = bench.send("GET", "/v2/models/stats", workspace_id="ws_other").json["parameters"]["model_cache"]
    assert (strange["num_models"], strange["hits"], strange["misses"], strange["hit_rate"]) == (0, 0, 0, None)


@pytest.mark.parametrize(
    ("path", "name", "same", "other"),
    [
        ("/v2/logging", "log_info", True, False),
        ("/v2/trace/setting", "trace_level", ["OFF"], ["TIMESTAMPS"]),
        ("/v2/models/adult/trace/setting", "trace_rate", None, "1"),
    ],
)
def test_server_settings_are_told_and_not_changed(bench: Bench, path: str, name: str, same: Any, other: Any) -> None:
    settings = bench.get(path).json
    assert bench.post(path, {name: same}).json == settings
    answer = bench.post(path, {name: other})
    assert answer.status == 400
    assert name in answer.error
    assert "no setting 'surprise'" in bench.post(path, {"surprise": 1}).error


def test_statistics_tell_reading_and_writing_apart(bench: Bench) -> None:
    bench.infer(age(39), city("Oslo"))
    (entry,) = bench.get("/v2/models/adult/stats").json["model_stats"]
    for part in ("compute_input", "compute_infer", "compute_output"):
        assert entry["inference_stats"][part]["count"] == 1
        assert entry["inference_stats"][part]["ns"] > 0
