"""Small ONNX models with the interface of real ones, registered and deployed on memory ports."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, new_id, utc_now
from aimass_core.domain.endpoints import Endpoint, EndpointStatus, ServedModel
from aimass_core.domain.fusion import FusionMethod, PlacedMember, ServingGraph
from aimass_core.domain.jobs import Artifact, ModelRef
from aimass_core.domain.models import ArtifactName, Model, ModelVersion
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Datatype, Golden, Signature, Task, TensorSpec
from aimass_core.ports import Put, Row
from aimass_core.services import records
from batch_jobs.data.targets import Target
from batch_jobs.fuse.graphs import WEIGHTS, input_name, to_lone_graph
from batch_jobs.fuse.methods import Combination
from batch_jobs.fuse.methods.stacking import LinearStack
from batch_jobs.fuse.methods.weighting import WeightedMean

CITIES = ["Oslo", "Rome"]
LABELS = ["no", "yes"]
FUSED_SCALES = (100.0, 10.0)
_GOLDEN_INPUTS = {"age": [[40.0]], "city": [["Rome"]]}
TABLE = Signature(
    kind=DatasetKind.TABLE,
    task=Task.BINARY,
    target="income",
    inputs=[
        TensorSpec(
            name="age",
            datatype=Datatype.FP32,
            shape=[-1, 1],
            column="age",
            column_type=ColumnType.INTEGER,
            minimum=17,
            maximum=90,
        ),
        TensorSpec(
            name="city",
            datatype=Datatype.BYTES,
            shape=[-1, 1],
            column="city",
            column_type=ColumnType.STRING,
            categories=CITIES,
        ),
    ],
    outputs=[
        TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
        TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 2]),
    ],
    labels=LABELS,
)
IMAGES = Signature(
    kind=DatasetKind.IMAGES,
    task=Task.REGRESSION,
    target="brightness",
    inputs=[
        TensorSpec(
            name="image",
            datatype=Datatype.UINT8,
            shape=[-1, 4, 6, 1],
            column="image",
            column_type=ColumnType.IMAGE,
        )
    ],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
    image_shape=ImageShape(height=4, width=6, channels=1),
)


def table_probability(age: float | None, city: str | None) -> float:
    """What the table model says for `yes`: it adds a hundredth of the age, and one for Rome."""
    score = (age or 0) / 100 + {"Oslo": 0.0, "Rome": 1.0}.get(city or "", -1.0)
    return 1 / (1 + math.exp(-score))


def table_model(*, scale: float = 100.0) -> bytes:
    """Label and probabilities from an age (NaN is 0) and a city."""
    nodes = [
        helper.make_node("IsNaN", ["age"], ["is_missing"]),
        helper.make_node("Where", ["is_missing", "zero", "age"], ["known_age"]),
        helper.make_node("Div", ["known_age", "scale"], ["part"]),
        helper.make_node(
            "LabelEncoder",
            ["city"],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=CITIES,
            values_floats=[0.0, 1.0],
            default_float=-1.0,
        ),
        helper.make_node("Add", ["part", "code"], ["score"]),
        helper.make_node("Sigmoid", ["score"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["index"], axis=1, keepdims=0),
        helper.make_node(
            "LabelEncoder",
            ["index"],
            ["label"],
            domain="ai.onnx.ml",
            keys_int64s=[0, 1],
            values_strings=LABELS,
            default_string="?",
        ),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [1], [value])
        for name, value in (("zero", 0.0), ("scale", scale), ("one", 1.0))
    ]
    graph = helper.make_graph(
        nodes,
        "table",
        [
            helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("city", TensorProto.STRING, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
        ],
        constants,
    )
    return finish(graph)


def image_model() -> bytes:
    """The mean of all pixels."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["value"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "images",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 4, 6, 1])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])],
    )
    return finish(graph)


def signature_of(*columns: ColumnType) -> Signature:
    """A regression on columns named after their types."""
    datatypes = {
        ColumnType.INTEGER: Datatype.FP32,
        ColumnType.NUMBER: Datatype.FP32,
        ColumnType.BOOLEAN: Datatype.BYTES,
        ColumnType.STRING: Datatype.BYTES,
        ColumnType.DATETIME: Datatype.FP64,
    }
    inputs = [
        TensorSpec(name=each, datatype=datatypes[each], shape=[-1, 1], column=each, column_type=each)
        for each in columns
    ]
    outputs = [TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])]
    return Signature(kind=DatasetKind.TABLE, task=Task.REGRESSION, target="y", inputs=inputs, outputs=outputs)


def finish(graph: onnx.GraphProto, *, opset: int = 18, domains: tuple[str, ...] = ()) -> bytes:
    """A model of the opsets that training writes."""
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    imports += [helper.make_opsetid(domain, 1) for domain in domains]
    return bytes(helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString())


def picky_model() -> bytes:
    """The table model's interface, but a graph that cannot be run where a city is not known."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["city"],
            ["index"],
            domain="ai.onnx.ml",
            keys_strings=CITIES,
            values_int64s=[0, 1],
            default_int64=7,
        ),
        helper.make_node("Gather", ["table", "index"], ["both"], axis=0),
        helper.make_node("Squeeze", ["both", "axis"], ["yes_score"]),
        helper.make_node("Add", ["yes_score", "nothing_of_age"], ["probabilities"]),
        helper.make_node("Mul", ["age", "zero"], ["nothing_of_age"]),
        helper.make_node("ArgMax", ["probabilities"], ["winner"], axis=1, keepdims=0),
        helper.make_node(
            "LabelEncoder",
            ["winner"],
            ["label"],
            domain="ai.onnx.ml",
            keys_int64s=[0, 1],
            values_strings=LABELS,
            default_string="?",
        ),
    ]
    nodes[3], nodes[4] = nodes[4], nodes[3]
    graph = helper.make_graph(
        nodes,
        "picky",
        [
            helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("city", TensorProto.STRING, ["n", 1]),
        ],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, ["n"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
        ],
        [
            helper.make_tensor("table", TensorProto.FLOAT, [2, 2], [0.75, 0.25, 0.25, 0.75]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        ],
    )
    return finish(graph)


def number_model() -> bytes:
    """One number in, the same out: for `signature_of(ColumnType.NUMBER)`."""
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["number", "flat"], ["value"])],
        "number",
        [helper.make_tensor_value_info("number", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor("flat", TensorProto.INT64, [1], [-1])],
    )
    return finish(graph)


def endless_model(*, rounds: int = 10**12) -> bytes:
    """One number in, one out, after a trillion additions: for `signature_of(ColumnType.NUMBER)`."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["still_goes_on"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "addition",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still_goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Loop", ["rounds", "true", "number"], ["sum"], body=body),
        helper.make_node("Reshape", ["sum", "flat"], ["value"]),
    ]
    graph = helper.make_graph(
        nodes,
        "endless",
        [helper.make_tensor_value_info("number", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        [
            helper.make_tensor("rounds", TensorProto.INT64, [], [rounds]),
            helper.make_tensor("true", TensorProto.BOOL, [], [True]),
            helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        ],
    )
    return finish(graph)


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An endpoint and what it serves."""

    endpoint: Endpoint
    version: ModelVersion

    @property
    def model_key(self) -> str:
        """Where its model.onnx lies."""
        version = self.version
        return keys.model_object(version.workspace_id, version.model_id, version.number, ArtifactName.MODEL)


def add_model_version(
    ports: MemoryPorts,
    workspace_id: str,
    *,
    model: bytes,
    signature: Signature,
    number: int = 1,
    model_id: str | None = None,
    fusion: ServingGraph | None = None,
    parents: Sequence[ModelRef] = (),
    golden: Golden | None = None,
    experts: bytes | None = None,
    name: str = "adult",
) -> ModelVersion:
    """A registered model version, of a model of its own where none is named."""
    model_id, now = model_id or new_id("mdl"), utc_now()
    contents = {ArtifactName.MODEL: model, ArtifactName.SIGNATURE: signature.model_dump_json().encode()}
    if fusion is not None:
        contents[ArtifactName.FUSION] = fusion.model_dump_json().encode()
    if experts is not None:
        contents[ArtifactName.EXPERTS] = experts
    if golden is not None:
        contents[ArtifactName.GOLDEN] = golden.model_dump_json().encode()
    for artifact, body in contents.items():
        ports.lake.put(keys.model_object(workspace_id, model_id, number, artifact), body)
    version = ModelVersion(
        id=new_id("mv"),
        workspace_id=workspace_id,
        created_at=now,
        updated_at=now,
        created_by="platform:job_events",
        model_id=model_id,
        model_name=name,
        number=number,
        job_id=new_id("job"),
        algorithm="xgboost",
        task=signature.task,
        metrics={},
        primary_metric="roc_auc",
        artifacts=[
            Artifact(name=artifact, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
            for artifact, body in contents.items()
        ],
        digest=hashlib.sha256(model).hexdigest(),
        model_bytes=len(model),
        parents=list(parents),
    )
    ports.registry.write(Put(row=records.to_row(version, model_id, number)))
    return version


def deploy(
    ports: MemoryPorts,
    workspace_id: str,
    *,
    name: str = "adult",
    model: bytes | None = None,
    signature: Signature = TABLE,
    number: int = 1,
) -> Deployed:
    """An endpoint that is READY."""
    version = add_model_version(ports, workspace_id, model=model or table_model(), signature=signature, number=number)
    return serve(ports, workspace_id, version, name=name)


def serve(ports: MemoryPorts, workspace_id: str, version: ModelVersion, *, name: str = "adult") -> Deployed:
    """The same of a version that is there."""
    now = utc_now()
    endpoint = Endpoint(
        id=new_id("ep"),
        workspace_id=workspace_id,
        created_at=now,
        updated_at=now,
        created_by="key",
        name=name,
        status=EndpointStatus.READY,
        serving=to_served(version),
    )
    reservation = Row(key=keys.name_row(workspace_id, "endpoint", name), data={"id": endpoint.id}, revision=1)
    ports.registry.write(Put(row=records.to_row(endpoint)), Put(row=reservation))
    return Deployed(endpoint=endpoint, version=version)


def to_served(version: ModelVersion) -> ServedModel:
    """The version as an endpoint names it."""
    return ServedModel(
        model_id=version.model_id, model_name=version.model_name, number=version.number, digest=version.digest
    )


def add_fusion(
    ports: MemoryPorts,
    workspace_id: str,
    members: Sequence[ModelVersion],
    *,
    weights: Sequence[float] | None,
    **options: Any,
) -> ModelVersion:
    """A weighted mean of table models that are served apart, or without weights a stack of them: twice their logits."""
    target, num_members = Target(column="income", task=Task.BINARY, labels=tuple(LABELS)), len(members)
    combination: Combination = LinearStack(
        coefficients=np.full((num_members, 1, 2), 2 / num_members), intercept=np.zeros(2), task=target.task
    )
    if weights is not None:
        combination = WeightedMean(weights=np.asarray(weights), task=target.task)
    graph = ServingGraph(
        method=FusionMethod.AVERAGING if weights is not None else FusionMethod.STACKING_LINEAR,
        members=[
            PlacedMember(
                name=f"{member.model_name}@{member.number}",
                input=input_name(number),
                digest=member.digest,
                weight=None if weights is None else weights[number],
            )
            for number, member in enumerate(members)
        ],
        weights_input=None if weights is None else WEIGHTS,
    )
    parents = [
        ModelRef(model_id=member.model_id, model_name=member.model_name, number=member.number) for member in members
    ]
    return add_model_version(
        ports,
        workspace_id,
        model=to_lone_graph(num_members, combination, target),
        signature=TABLE,
        number=9,
        fusion=graph,
        parents=parents,
        **options,
    )


def register_versions(ports: MemoryPorts, principal: Principal, *models: bytes, name: str = "adult") -> None:
    """`adult@1`, `adult@2`, ... with the interface of the table model; their golden answers are what they say."""
    count = len(models)
    model = Model(**records.new_fields(ports, principal, Model), name=name, latest_version=count, last_number=count)
    records.create(ports, principal, model, name=name)
    for number, body in enumerate(models, start=1):
        add_model_version(
            ports,
            principal.workspace_id,
            model=body,
            signature=TABLE,
            number=number,
            model_id=model.id,
            golden=Golden(inputs=_GOLDEN_INPUTS, outputs=_run_golden(body)),
            name=name,
        )


def _run_golden(model: bytes) -> dict[str, Any]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = {"age": np.array(_GOLDEN_INPUTS["age"], np.float32), "city": np.array(_GOLDEN_INPUTS["city"], object)}
    label, probabilities = session.run(["label", "probabilities"], inputs)
    return {"label": list(label), "probabilities": probabilities.tolist()}


def register_fusion(ports: MemoryPorts, principal: Principal, weights: Sequence[float] | None) -> ModelVersion:
    """`adult@9`, a fusion of `adult@1` and `adult@2`."""
    model = Model(**records.new_fields(ports, principal, Model), name="adult", latest_version=9, last_number=9)
    records.create(ports, principal, model, name="adult")
    members = [
        add_model_version(
            ports,
            principal.workspace_id,
            model=table_model(scale=scale),
            signature=TABLE,
            number=number,
            model_id=model.id,
            golden=_golden([1.0], [scale]),
        )
        for number, scale in enumerate(FUSED_SCALES, start=1)
    ]
    golden = _golden(weights, FUSED_SCALES) if weights else Golden(inputs=_GOLDEN_INPUTS, outputs={})
    return add_fusion(ports, principal.workspace_id, members, weights=weights, model_id=model.id, golden=golden)


def _golden(weights: Sequence[float], scales: Sequence[float]) -> Golden:
    chances = [1 / (1 + math.exp(-(40 / scale + 1))) for scale in scales]
    yes = sum(weight * chance for weight, chance in zip(weights, chances, strict=True)) / sum(weights)
    return Golden(inputs=_GOLDEN_INPUTS, outputs={"label": ["yes"], "probabilities": [[1 - yes, yes]]})


def add_external_data(model: bytes, location: str, *, where: str = "initializer") -> bytes:
    """The model with a tensor whose data lies in another file."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "outside")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    changed = onnx.load_model_from_string(model)
    if where == "initializer":
        changed.graph.initializer.append(tensor)
    else:
        inner = helper.make_graph(
            [helper.make_node("Constant", [], ["outside"], value=tensor)],
            "inner",
            [],
            [helper.make_tensor_value_info("outside", TensorProto.FLOAT, [4])],
        )
        condition = helper.make_tensor("always", TensorProto.BOOL, [1], [True])
        changed.graph.initializer.append(condition)
        changed.graph.node.append(helper.make_node("If", ["always"], ["unused"], then_branch=inner, else_branch=inner))
    return bytes(changed.SerializeToString())


SERIES = Signature(
    kind=DatasetKind.TABLE,
    task=Task.REGRESSION,
    target="sum",
    inputs=[
        TensorSpec(
            name=name,
            datatype=Datatype.FP32,
            shape=[-1, -1],
            column=name,
            column_type=ColumnType.SERIES,
            minimum=-100,
            maximum=100,
        )
        for name in ("left", "right")
    ],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
)


def series_model() -> bytes:
    """The sum of all values of two series, a missing one being 0; the second counts ten times."""
    nodes = [
        helper.make_node("Mul", ["right", "ten"], ["more"]),
        helper.make_node("Concat", ["left", "more"], ["both"], axis=1),
        helper.make_node("IsNaN", ["both"], ["is_missing"]),
        helper.make_node("Where", ["is_missing", "zero", "both"], ["filled"]),
        helper.make_node("ReduceSum", ["filled", "axis"], ["value"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "series",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "steps"]) for name in ("left", "right")],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        [
            helper.make_tensor("ten", TensorProto.FLOAT, [], [10.0]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    return finish(graph)


FORECAST = Signature(
    kind=DatasetKind.TABLE,
    task=Task.FORECASTING,
    target="sales",
    inputs=[
        TensorSpec(name="sales", datatype=Datatype.FP32, shape=[-1, 3], column="sales", column_type=ColumnType.SERIES)
    ],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1, 2])],
)


def forecast_model() -> bytes:
    """The latest of three values, plus one and plus two."""
    nodes = [
        helper.make_node("Gather", ["sales", "last"], ["latest"], axis=1),
        helper.make_node("Add", ["latest", "more"], ["value"]),
    ]
    graph = helper.make_graph(
        nodes,
        "forecast",
        [helper.make_tensor_value_info("sales", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n", 2])],
        [
            helper.make_tensor("last", TensorProto.INT64, [1], [2]),
            helper.make_tensor("more", TensorProto.FLOAT, [2], [1.0, 2.0]),
        ],
    )
    return finish(graph)


LABELLED = Signature(
    kind=DatasetKind.TABLE,
    task=Task.MULTILABEL,
    target="tags",
    inputs=[TensorSpec(name="x", datatype=Datatype.FP32, shape=[-1, 1], column="x", column_type=ColumnType.NUMBER)],
    outputs=[
        TensorSpec(name="label", datatype=Datatype.BOOL, shape=[-1, 3]),
        TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 3]),
    ],
    labels=["low", "high", "higher"],
)


def labels_model() -> bytes:
    """Logits -x - 1, x - 1 and 2x - 1; a label applies where its probability is at least a half."""
    nodes = [
        helper.make_node("Mul", ["x", "factors"], ["products"]),
        helper.make_node("Sub", ["products", "one"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("GreaterOrEqual", ["probabilities", "half"], ["label"]),
    ]
    graph = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [
            helper.make_tensor_value_info("label", TensorProto.BOOL, ["n", 3]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3]),
        ],
        [
            helper.make_tensor("factors", TensorProto.FLOAT, [3], [-1.0, 1.0, 2.0]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
        ],
    )
    return finish(graph)


def echo_signature(*datatypes: Datatype) -> Signature:
    """Of a model that gives back what it takes: `in_<type>` as `out_<type>`, two values a row."""
    return Signature(
        kind=DatasetKind.TABLE,
        task=Task.CUSTOM,
        target="none",
        inputs=[TensorSpec(name=f"in_{each}", datatype=each, shape=[-1, 2]) for each in datatypes],
        outputs=[TensorSpec(name=f"out_{each}", datatype=each, shape=[-1, 2]) for each in datatypes],
    )


def echo_model(*datatypes: Datatype) -> bytes:
    """See `echo_signature`."""
    types = {each: getattr(TensorProto, _ONNX_TYPES.get(each, each)) for each in datatypes}
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"in_{each}"], [f"out_{each}"]) for each in datatypes],
        "echo",
        [helper.make_tensor_value_info(f"in_{each}", types[each], ["n", 2]) for each in datatypes],
        [helper.make_tensor_value_info(f"out_{each}", types[each], ["n", 2]) for each in datatypes],
    )
    return finish(graph)


_ONNX_TYPES = {
    Datatype.BYTES: "STRING",
    Datatype.FP16: "FLOAT16",
    Datatype.FP32: "FLOAT",
    Datatype.FP64: "DOUBLE",
}
