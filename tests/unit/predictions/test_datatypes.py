"""Every datatype that a graph can have, in JSON and in bytes, and the values that it cannot hold."""

import json
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.signatures import Datatype
from aimass_core.inference.serving.model import NUMPY_TYPES
from tests.factories.served_models import deploy, echo_model, echo_signature
from tests.unit.predictions.bench import Bench

INTEGERS = [each for each in Datatype if each.startswith(("INT", "UINT"))]
FLOATS = [Datatype.FP16, Datatype.FP32, Datatype.FP64]


def deployed(datatype: Datatype) -> Bench:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, model=echo_model(datatype), signature=echo_signature(datatype))
    return bench


def ask(bench: Bench, datatype: Datatype, *values: Any) -> Any:
    return bench.infer(
        {"name": f"in_{datatype}", "datatype": datatype.value, "shape": [len(values) // 2, 2], "data": list(values)}
    )


def extremes(datatype: Datatype) -> list[Any]:
    dtype = NUMPY_TYPES[datatype]
    if datatype is Datatype.BYTES:
        return ["", "\u00c5re"]
    if datatype is Datatype.BOOL:
        return [False, True]
    limits: Any = np.finfo(dtype) if datatype in FLOATS else np.iinfo(dtype)
    found: list[Any] = np.array([limits.min, limits.max], dtype).tolist()
    return found


@pytest.mark.parametrize("datatype", Datatype)
def test_extreme_values_come_back_from_json(datatype: Datatype) -> None:
    answer = ask(deployed(datatype), datatype, *extremes(datatype))
    assert answer.status == 200, answer.body
    (output,) = answer.json["outputs"]
    assert output == {"name": f"out_{datatype}", "datatype": datatype, "shape": [1, 2], "data": extremes(datatype)}


@pytest.mark.parametrize("datatype", [each for each in Datatype if each is not Datatype.BYTES])
def test_extreme_values_come_back_from_bytes(datatype: Datatype) -> None:
    raw = np.array(extremes(datatype), NUMPY_TYPES[datatype]).tobytes()
    tensor = {
        "name": f"in_{datatype}",
        "datatype": datatype.value,
        "shape": [1, 2],
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = deployed(datatype).send(
        "POST",
        "/v2/models/adult/infer",
        body=head + raw,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status == 200, answer.body
    assert answer.body[int(answer.headers["inference-header-content-length"]) :] == raw


@pytest.mark.parametrize("datatype", INTEGERS)
def test_g1_integer_out_of_range_is_refused_with_the_range(datatype: Datatype) -> None:
    limits = np.iinfo(NUMPY_TYPES[datatype])
    bench = deployed(datatype)
    for value in (limits.min - 1, limits.max + 1):
        answer = ask(bench, datatype, 0, value)
        assert answer.status == 400
        assert f"'in_{datatype}' must be {datatype}" in answer.error
        assert f"whole numbers from {limits.min} to {limits.max}" in answer.error


@pytest.mark.parametrize("datatype", FLOATS)
def test_g1_float_out_of_range_is_refused_and_a_missing_one_is_taken(datatype: Datatype) -> None:
    bench = deployed(datatype)
    assert ask(bench, datatype, None, 1.5).json["outputs"][0]["data"] == [None, 1.5]
    answer = ask(bench, datatype, 0, 10**400)
    assert answer.status == 400
    assert "too large" in answer.error


@pytest.mark.parametrize("datatype", [*INTEGERS, Datatype.BOOL])
def test_g1_strings_and_fractions_are_no_integers(datatype: Datatype) -> None:
    bench = deployed(datatype)
    for value in ("1", 1.5, None):
        assert ask(bench, datatype, value, value).status == 400
