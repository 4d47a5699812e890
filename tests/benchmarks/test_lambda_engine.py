"""The predictions function in one process: beside bare onnxruntime, when it starts, and with 200 models in a cache."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from aimass_core.domain import keys
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from functions.predictions.app import make_handler
from tests.benchmarks.report import memory_mb, percentiles, print_table, time_calls
from tests.factories.served_models import deploy, finish
from tests.unit.predictions.bench import Bench

NUM_COLUMNS, HIDDEN = 14, 480  # 1 MB of weights
NUM_MODELS, CACHE_BYTES, NUM_REQUESTS = 200, 64 * 1024**2, 2_000
SIGNATURE = Signature(
    kind=DatasetKind.TABLE,
    task=Task.REGRESSION,
    target="y",
    inputs=[
        TensorSpec(
            name=f"c{index}",
            datatype=Datatype.FP32,
            shape=[-1, 1],
            column=f"c{index}",
            column_type=ColumnType.NUMBER,
            minimum=-9,
            maximum=9,
        )
        for index in range(NUM_COLUMNS)
    ],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
)
# What a cold start consists of; the parts follow each other in a process of its own.
_COLD = """
import sys, time
began, used = time.perf_counter(), time.process_time()
marks = [("Python", [float(sys.argv[2]), used * 1e3])]
def mark(name):
    global began, used
    now, now_used = time.perf_counter(), time.process_time()
    marks.append((name, [(now - began) * 1e3, (now_used - used) * 1e3]))
    began, used = now, now_used
import onnxruntime, numpy
mark("import onnxruntime, numpy")
import functions.predictions.app as app
mark("import the function")
from aimass_core import bootstrap
clients = bootstrap.AwsClients()
clients.dynamodb, clients.s3
mark("clients of DynamoDB and S3")
import json, pickle, tempfile
from pathlib import Path
from aimass_core.adapters.memory import MemoryPorts
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.ports import Put
rows, blobs, event = pickle.loads(Path(sys.argv[1]).read_bytes())
ports = MemoryPorts()
for row in rows: ports.registry.write(Put(row=row))
for key, body in blobs.items(): ports.lake.put(key, body)
class Context:
    function_name, memory_limit_in_mb, aws_request_id, invoked_function_arn = "f", 2048, "r", "arn"
    def get_remaining_time_in_millis(self): return 29_000
endpoints = ServingEndpoints(ports, ModelStore(ports, Path(tempfile.mkdtemp())), endpoint_ttl_seconds=2)
handler = app.make_handler(lambda: endpoints)
began, used = time.perf_counter(), time.process_time()
assert handler(event, Context())["statusCode"] == 200
mark("first answer: check and load the model, run it")
assert handler(event, Context())["statusCode"] == 200
mark("second answer")
print(json.dumps(marks), file=sys.stderr)
"""


def build_model(seed: int) -> bytes:
    """Columns, a hidden layer of matrices that weigh 1 MB, and a value."""
    generator = np.random.default_rng(seed)
    shapes = {"w1": (NUM_COLUMNS, HIDDEN), "w2": (HIDDEN, HIDDEN), "w3": (HIDDEN, 1)}
    weights = [
        numpy_helper.from_array(generator.normal(0, 0.05, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    names = [spec.name for spec in SIGNATURE.inputs]
    nodes = [
        helper.make_node("Concat", names, ["x"], axis=1),
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["c"]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "w3"], ["e"]),
        helper.make_node("Squeeze", ["e", "axis"], ["value"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in names],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        [*weights, helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    return finish(graph)


def to_inputs(num_rows: int) -> list[dict[str, Any]]:
    return [
        {"name": spec.name, "datatype": "FP32", "shape": [num_rows, 1], "data": [0.5] * num_rows}
        for spec in SIGNATURE.inputs
    ]


def to_binary(num_rows: int) -> tuple[bytes, dict[str, str]]:
    raw = np.full(num_rows, 0.5, "<f4").tobytes()
    inputs = [
        {**{key: tensor[key] for key in ("name", "datatype", "shape")}, "parameters": {"binary_data_size": len(raw)}}
        for tensor in to_inputs(num_rows)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return head + raw * NUM_COLUMNS, {"Inference-Header-Content-Length": str(len(head))}


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.time = lambda: 0.0  # type: ignore[assignment] - the endpoint stays as it was read
    made.__post_init__()
    return made


def test_handler_beside_bare_onnxruntime(bench: Bench) -> None:
    model = build_model(0)
    deploy(bench.ports, bench.workspace_id, model=model, signature=SIGNATURE)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options)
    rows = []
    for num_rows in (1, 100):
        feed = {spec.name: np.full((num_rows, 1), 0.5, np.float32) for spec in SIGNATURE.inputs}
        body, headers = to_binary(num_rows)
        records = [{spec.name: 0.5 for spec in SIGNATURE.inputs}] * num_rows
        calls = {
            "bare onnxruntime": lambda feed=feed: session.run(None, feed),
            "handler, OIP binary": lambda body=body, headers=headers: bench.send(
                "POST", "/v2/models/adult/infer", body=body, headers=headers
            ),
            "handler, OIP JSON": lambda num_rows=num_rows: bench.infer(*to_inputs(num_rows)),
            "handler, rows": lambda records=records: bench.predict(*records),
        }
        bare = None
        for name, call in calls.items():
            times = time_calls(call, num=300, warm=30)
            bare = float(np.median(times)) if bare is None else bare
            rows.append([f"{num_rows} rows: {name}", *percentiles(times), f"{np.median(times) - bare:.2f} ms"])
    print_table("Predictions function in process, model of 1 MB", ["", "p50", "p99", "more than bare, p50"], rows)


def test_cold_start_in_parts(bench: Bench, tmp_path: Path) -> None:
    from tests.unit.predictions.bench import proxy_event

    deploy(bench.ports, bench.workspace_id, model=build_model(0), signature=SIGNATURE)
    event = proxy_event(
        "POST",
        "/v2/models/adult/infer",
        body=json.dumps({"inputs": to_inputs(1)}).encode(),
        headers={},
        workspace_id=bench.workspace_id,
        role="viewer",
    )
    registry_rows = bench.ports.registry.query(keys.partition(bench.workspace_id), "", limit=100).rows
    blobs = {blob.key: bench.ports.lake.get(blob.key) for blob in bench.ports.lake.list("")}
    (tmp_path / "world").write_bytes(pickle.dumps((list(registry_rows), blobs, event)))
    runs = []
    for _ in range(5):
        python = time_calls(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), num=1, warm=0)[0]
        done = subprocess.run(
            [sys.executable, "-c", _COLD, str(tmp_path / "world"), str(python)],
            check=True,
            capture_output=True,
            text=True,
            env={"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
            cwd=Path(__file__).parents[2],
        )
        runs.append(dict(json.loads(done.stderr.strip().splitlines()[-1])))
    parts = {name: np.median([run[name] for run in runs], axis=0) for name in runs[0]}
    parts["import to first answer"] = sum(spent for name, spent in parts.items() if name != "second answer")
    rows = [[name, *(f"{milliseconds:.0f} ms" for milliseconds in spent)] for name, spent in parts.items()]
    print_table("Cold start, model of 1 MB, median of 5", ["", "by the clock", "of a processor"], rows)


def test_200_models_behind_one_function_with_64_mb_of_cache(tmp_path: Path) -> None:
    made = Bench(folder=tmp_path)
    store = ModelStore(made.ports, tmp_path)
    endpoints = ServingEndpoints(made.ports, store, endpoint_ttl_seconds=3_600, max_cache_bytes=CACHE_BYTES)
    made.handler = make_handler(lambda: endpoints)
    before = memory_mb()
    for number in range(NUM_MODELS):
        model = build_model(number)
        deploy(made.ports, made.workspace_id, name=f"m{number}", model=model, signature=SIGNATURE)
    held = memory_mb()
    # A few are asked for often, most seldom.
    asked = np.minimum(np.random.default_rng(0).zipf(1.2, NUM_REQUESTS) - 1, NUM_MODELS - 1)
    inputs = to_inputs(1)
    numbers = iter(asked)
    statuses = []
    times = time_calls(
        lambda: statuses.append(made.infer(*inputs, name=f"m{next(numbers)}").status), num=NUM_REQUESTS, warm=0
    )
    cache = endpoints.describe_cache(made.workspace_id)
    assert set(statuses) == {200}
    loaded = memory_mb() - held
    per_byte = loaded * 1e6 / float(cache["num_bytes"] or 1)
    rows = [
        ["requests, models asked for", f"{NUM_REQUESTS}, {len(set(asked))}"],
        ["errors", str(sum(status != 200 for status in statuses))],
        ["hit rate", f"{cache['hit_rate']:.1%}"],
        ["loaded at the end", f"{cache['num_models']} models, {float(cache['num_bytes'] or 0) / 1e6:.0f} MB of files"],
        ["p50, p99", ", ".join(percentiles(times))],
        ["memory for each byte of their files", f"{per_byte:.1f} bytes"],
        ["memory to give the function", f"{_suggest(before, per_byte)} MiB"],
    ]
    print_table("200 models of 1 MB behind one function, cache of 64 MB", ["", ""], rows)


def _suggest(process_mb: float, per_byte: float) -> int:
    """What the process has without a model, the cache's models, and half as much again for requests; by 64 MiB."""
    needed = 1.5 * (min(process_mb, 250) + per_byte * CACHE_BYTES / 1e6)
    return int(-(-needed * 1e6 / 1024**2 // 64) * 64)
