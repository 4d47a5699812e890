"""What the sample clients of Triton's own repository (client/src/python/examples) do and check, against the container.

`simple` adds and subtracts 16 whole numbers, `simple_string` the same in texts, `simple_identity` gives texts back.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc
import tritonclient.http as http
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from tests.factories.served_models import finish
from tests.integration.serve.server import Server, serving
from tests.unit.batch_jobs.serve.bench import put_model

SHAPE = [1, 16]
NUMBERS, ONES = np.arange(16, dtype=np.int32).reshape(SHAPE), np.full(SHAPE, -1, np.int32)


def arithmetic(*, in_texts: bool) -> bytes:
    """INPUT0 and INPUT1 to their sum and difference."""
    kind = TensorProto.STRING if in_texts else TensorProto.INT32
    nodes: list[onnx.NodeProto] = []
    names = {name: name for name in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")}
    if in_texts:
        names = {name: f"{name}_number" for name in names}
        nodes = [helper.make_node("Cast", [name], [names[name]], to=TensorProto.INT32) for name in ("INPUT0", "INPUT1")]
    both = [names["INPUT0"], names["INPUT1"]]
    nodes += [helper.make_node("Add", both, [names["OUTPUT0"]]), helper.make_node("Sub", both, [names["OUTPUT1"]])]
    if in_texts:
        ends = ("OUTPUT0", "OUTPUT1")
        nodes += [helper.make_node("Cast", [names[name]], [name], to=TensorProto.STRING) for name in ends]
    inputs, outputs = (
        [helper.make_tensor_value_info(f"{side}{number}", kind, ["n", 16]) for number in range(2)]
        for side in ("INPUT", "OUTPUT")
    )
    return finish(helper.make_graph(nodes, "simple", inputs, outputs))


def identity() -> bytes:
    """Texts."""
    values = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n", 16]) for name in ("INPUT0", "OUTPUT0")]
    return finish(
        helper.make_graph([helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])], "identity", values[:1], values[1:])
    )


def signature_of(model: bytes) -> Signature:
    """Tensors with the names of the graph."""
    graph = onnx.load_from_string(model).graph

    def describe(value: onnx.ValueInfoProto) -> TensorSpec:
        is_text = value.type.tensor_type.elem_type == TensorProto.STRING
        return TensorSpec(name=value.name, datatype=Datatype.BYTES if is_text else Datatype.INT32, shape=[-1, 16])

    return Signature(
        kind=DatasetKind.TABLE,
        task=Task.CUSTOM,
        target="none",
        inputs=[describe(value) for value in graph.input],
        outputs=[describe(value) for value in graph.output],
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("samples")
    models = {
        "simple": arithmetic(in_texts=False),
        "simple_string": arithmetic(in_texts=True),
        "simple_identity": identity(),
    }
    for name, model in models.items():
        put_model(folder, name, model=model, signature=signature_of(model))
    with serving(folder / "models", "--workers", "1") as running:
        yield running


def inputs_of(module: Any, first: Any, second: Any, datatype: str = "INT32") -> list[Any]:
    inputs = [module.InferInput(f"INPUT{number}", SHAPE, datatype) for number in range(2)]
    for tensor, values, is_binary in zip(inputs, (first, second), (False, True), strict=True):
        tensor.set_data_from_numpy(values, **({"binary_data": is_binary} if module is http else {}))
    return inputs


def outputs_of(module: Any) -> list[Any]:
    if module is grpc:
        return [module.InferRequestedOutput("OUTPUT0"), module.InferRequestedOutput("OUTPUT1")]
    return [module.InferRequestedOutput(f"OUTPUT{number}", binary_data=number == 0) for number in range(2)]


def check_arithmetic(result: Any) -> None:
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), NUMBERS + ONES)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), NUMBERS - ONES)


def test_simple_http_clients(server: Server) -> None:
    inputs, outputs = inputs_of(http, NUMBERS, ONES), outputs_of(http)
    with http.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=2) as client:
        options = {"query_params": {"test_1": 1, "test_2": 2}, "headers": {"X-Sample": "1"}}
        check_arithmetic(client.infer("simple", inputs, outputs=outputs, **options))
        check_arithmetic(client.infer("simple", inputs, **options))
        for name in ("gzip", "deflate"):
            zipped = {"request_compression_algorithm": name, "response_compression_algorithm": name}
            check_arithmetic(client.infer("simple", inputs, outputs=outputs, **zipped))
        waiting = [client.async_infer("simple", inputs, outputs=outputs) for _ in range(3)]
        for each in waiting:
            check_arithmetic(each.get_result())
        assert len(client.get_inference_statistics("simple")["model_stats"]) == 1
        with pytest.raises(InferenceServerException) as caught:
            client.infer("wrong_model_name", inputs)
        assert caught.value.message().startswith("Request for unknown model")


def test_simple_grpc_clients(server: Server) -> None:
    inputs, outputs = inputs_of(grpc, NUMBERS, ONES), outputs_of(grpc)
    with grpc.InferenceServerClient(f"127.0.0.1:{server.grpc_port}") as client:
        check_arithmetic(client.infer("simple", inputs, outputs=outputs, headers={"test": "1"}, client_timeout=60))
        check_arithmetic(client.infer("simple", inputs, outputs=outputs, compression_algorithm="gzip"))
        assert len(client.get_inference_statistics("simple").model_stats) == 1
        with pytest.raises(InferenceServerException) as caught:
            client.infer("wrong_model_name", inputs)
        assert caught.value.message().startswith("Request for unknown model")


@pytest.mark.parametrize("module", [http, grpc], ids=["http", "grpc"])
def test_string_clients(server: Server, module: Any) -> None:
    texts = [np.array([str(each).encode() for each in values.ravel()], object) for values in (NUMBERS, ONES)]
    first, second = (values.reshape(SHAPE) for values in texts)
    with module.InferenceServerClient(_address(server, module)) as client:
        answer = client.infer("simple_string", inputs_of(module, first, second, "BYTES"), outputs=outputs_of(module))
        assert [int(each) for each in answer.as_numpy("OUTPUT0").ravel()] == (NUMBERS + ONES).ravel().tolist()
        assert [int(each) for each in answer.as_numpy("OUTPUT1").ravel()] == (NUMBERS - ONES).ravel().tolist()
        for text in ("he\x00llo", "\x00\x01\x02\x03"):
            given = np.array([text.encode()] * 16, object).reshape(SHAPE)
            tensor = module.InferInput("INPUT0", SHAPE, "BYTES")
            for is_binary in (True, False) if module is http else (True,):
                tensor.set_data_from_numpy(given, **({"binary_data": is_binary} if module is http else {}))
                answer = client.infer("simple_identity", [tensor])
                assert {_to_bytes(each) for each in answer.as_numpy("OUTPUT0").ravel()} == {text.encode()}


@pytest.mark.parametrize("module", [http, grpc], ids=["http", "grpc"])
def test_health_metadata_and_model_control_clients(server: Server, module: Any) -> None:
    with module.InferenceServerClient(_address(server, module)) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("simple")
        told = client.get_model_metadata("simple")
        assert (told["name"] if module is http else told.name) == "simple"
        with pytest.raises(InferenceServerException) as caught:
            client.get_model_metadata("wrong_model_name")
        assert caught.value.message().startswith("Request for unknown model")
        config = client.get_model_config("simple")
        inputs = config["input"] if module is http else config.config.input
        assert len(inputs) == 2
        index = client.get_model_repository_index()
        assert len(index if module is http else index.models) == 3
        client.unload_model("simple_string")
        assert not client.is_model_ready("simple_string")
        client.load_model("simple_string")
        assert client.is_model_ready("simple_string")
        with pytest.raises(InferenceServerException):
            client.load_model("wrong_model_name")


def _address(server: Server, module: Any) -> str:
    return f"127.0.0.1:{server.port if module is http else server.grpc_port}"


def _to_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
