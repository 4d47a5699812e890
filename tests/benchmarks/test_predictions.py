"""Predictions beside onnxruntime in this process, and beside the same model behind a Lambda with no AI Mass code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import onnxruntime as ort
import tritonclient.http as triton

import aimass
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden, Signature
from tests.benchmarks.report import memory_mb, percentiles, print_table, time_calls
from tests.benchmarks.test_api import deploy_function
from tests.stack import Stack, write_loans

_DTYPES: dict[str, Any] = {"FP32": np.float32, "FP64": np.float64, "BYTES": object}
_BARE = """
import json
import numpy as np
import onnxruntime as ort

SESSION = ort.InferenceSession("/".join(__file__.split("/")[:-1]) + "/model.onnx")
DTYPES = {"FP32": np.float32, "FP64": np.float64, "BYTES": object}

def handler(event, context):
    inputs = json.loads(event["body"])["inputs"]
    feed = {i["name"]: np.array(i["data"], DTYPES[i["datatype"]]).reshape(i["shape"]) for i in inputs}
    names = [output.name for output in SESSION.get_outputs()]
    outputs = [{"name": n, "data": v.tolist()} for n, v in zip(names, SESSION.run(None, feed))]
    return {"statusCode": 200, "body": json.dumps({"outputs": outputs})}
"""


def test_predict_latency(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    write_loans(tmp_path / "loans.csv", num_rows=1000, seed=0)
    dataset = client.datasets.upload(tmp_path / "loans.csv", name="bench-loans", target="repaid")
    job = client.jobs.train(dataset, algorithm="xgboost").wait()
    assert job.model_version is not None
    version = job.model_version.get()
    model = version.download(ArtifactName.MODEL, tmp_path / "model.onnx")
    golden = Golden.model_validate_json(version.download(ArtifactName.GOLDEN, tmp_path / "golden.json").read_bytes())
    assert version.signature is not None
    version.deploy()

    session = ort.InferenceSession(model)
    bare = deploy_function(stack, "bare-onnx", {"bare.py": _BARE.encode(), "model.onnx": model.read_bytes()})
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    server = triton.InferenceServerClient(f"127.0.0.1:{stack.port}")
    rows = []
    for num_rows in (1, 100):
        feed = _feed(version.signature, golden, num_rows)
        body = json.dumps({"inputs": [_to_json(name, value) for name, value in feed.items()]})
        inputs = [_to_triton(name, value) for name, value in feed.items()]
        with httpx2.Client(headers=headers) as http:
            calls = {
                "onnxruntime in-process": lambda feed=feed: session.run(None, feed),
                "bare Lambda, same model, no authorizer": lambda body=body, http=http: _post(http, bare, body),
                "AI Mass, JSON": lambda body=body, http=http: _post(
                    http, f"{stack.url}/v2/models/bench-loans/infer", body
                ),
                "AI Mass, tritonclient, binary": lambda inputs=inputs: server.infer(
                    "bench-loans",
                    inputs,
                    headers=dict(headers),  # a copy: the client adds a Content-Length of its own
                ),
            }
            for name, call in calls.items():
                rows.append([f"{num_rows} rows: {name}", *percentiles(time_calls(call, num=300))])
    print_table("Predict latency, one client, warm", ["", "p50", "p99"], rows)
    workers = memory_mb(_server_pid(stack), command="worker")
    print_table(
        "Memory", ["", "RSS"], [["this process", f"{memory_mb():.0f} MB"], ["Lambda workers", f"{workers:.0f} MB"]]
    )


def _feed(signature: Signature, golden: Golden, num_rows: int) -> dict[str, Any]:
    feed = {}
    for spec in signature.inputs:
        value = np.array(golden.inputs[spec.name], object).reshape(-1, 1)[:1]
        value = np.array([[np.nan if value[0, 0] is None else value[0, 0]]], _DTYPES[spec.datatype])
        feed[spec.name] = np.repeat(value, num_rows, axis=0)
    return feed


_DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.float64): "FP64", np.dtype(object): "BYTES"}


def _to_json(name: str, value: Any) -> dict[str, Any]:
    return {
        "name": name,
        "datatype": _DATATYPES[value.dtype],
        "shape": list(value.shape),
        "data": value.ravel().tolist(),
    }


def _to_triton(name: str, value: Any) -> Any:
    tensor = triton.InferInput(name, list(value.shape), _DATATYPES[value.dtype])
    tensor.set_data_from_numpy(value)
    return tensor


def _post(http: httpx2.Client, url: str, body: str) -> None:
    assert http.post(url, content=body, headers={"content-type": "application/json"}).status_code == 200


def _server_pid(stack: Stack) -> int:
    from aimass_local import lifecycle

    running = lifecycle.find(stack.data)
    assert running is not None
    return running.pid
