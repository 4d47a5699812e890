"""Models that no job of ours has made, in compress, fuse and decompose jobs: handled right, or refused with reason."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from aimass_core.domain.compression import Compression, CompressSpec
from aimass_core.domain.decomposition import DecomposeSpec, Decomposition
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.graph_check import MAX_MODEL_BYTES
from aimass_core.domain.signatures import Card, Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs import compress, decompose, fuse
from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.networks import Factorization, Sparsification
from batch_jobs.compress.optimization import Optimization
from batch_jobs.compress.quantization import Quantization
from batch_jobs.data.targets import Target
from batch_jobs.fuse.graphs import to_one_graph
from batch_jobs.fuse.methods.weighting import WeightedMean
from batch_jobs.registered import operations
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.environment import Environment
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.compress.tiny_models import answer, build_ground
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.batch_jobs.registered.imported import (
    KINDS,
    LABELS,
    NUM_STEPS,
    WIDTH,
    build,
    inputs_of,
    make_rows,
    to_int8,
    write,
)

JOBS = ("compress", "fuse", "decompose")
Damage = Callable[[onnx.ModelProto], onnx.ModelProto | bytes]


def _make(kind: str, tmp_path: Path) -> onnx.ModelProto:
    return to_int8(build("plain"), tmp_path) if kind == "int8" else build(kind)


def _job(tmp_path: Path, job: str, models: list[Path], **options: Any) -> Environment:
    """A job on these models, with rows to judge them."""
    channels = {"train": write_channel(tmp_path / "rows", make_rows(), target="answer")}
    data = {"dataset": "tiny@1", "target": "answer"}
    names = [f"imported@{number}" for number in range(1, len(models) + 1)]
    tree = {"algorithm": "xgboost", "hyperparameters": {"num_rounds": 5, "max_depth": 2}}
    spec: Any
    match job:
        case "compress":
            fields = {"kind": job, "parent": names[0], "data": data, "max_metric_drop": 0.02}
            spec, roles = CompressSpec.model_validate(fields | options), ["parent"]
        case "fuse":
            spec = FuseSpec.model_validate({"kind": job, "members": names, "data": data} | options)
            roles = [f"member-{number}" for number in range(1, len(models) + 1)]
        case _:
            fields = {"kind": job, **data, "single": names[0], "expert": tree, "method": "tree", "num_experts": 2}
            spec, roles = DecomposeSpec.model_validate(fields | options), ["single"]
    return build_environment(
        tmp_path / job, channels, spec, models=dict(zip(roles, models, strict=False)), deadline=time.monotonic() + 300
    )


def _run(environment: Environment) -> dict[str, float]:
    runs = {"compress": compress.run, "fuse": fuse.run, "decompose": decompose.run}
    return runs[str(environment.spec.kind)](environment, RecordingReporter())


def _outside(place: str) -> Damage:
    def damage(model: onnx.ModelProto) -> onnx.ModelProto:
        tensor = max(model.graph.initializer, key=lambda each: each.ByteSize())
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        return model

    return damage


def _inside_a_loop(model: onnx.ModelProto) -> onnx.ModelProto:
    """External data in the body of a loop."""
    scanned = build("scan")
    inner = next(each.g for node in scanned.graph.node for each in node.attribute if each.name == "body")
    tensor = inner.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    del model
    return scanned


def _custom(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    model.graph.node[-1].domain = "com.example"
    return model


def _opset(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import[0].version = 9999
    return model


def _cyclic(model: onnx.ModelProto) -> onnx.ModelProto:
    first, last = model.graph.node[0], model.graph.node[-1]
    first.input[0] = last.output[0]
    return model


def _deep(model: onnx.ModelProto) -> onnx.ModelProto:
    """Branches within branches."""
    inner = helper.make_graph([], "end", [], [])
    for depth in range(24):
        node = helper.make_node("If", ["a"], [f"b{depth}"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], f"g{depth}", [], [])
        del inner.node[0].attribute[1:]
    model.graph.node.append(inner.node[0])
    return model


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_outside("../../etc/passwd"), "refers to data outside of the file"),
        (_outside("weights.bin"), "refers to data outside of the file"),
        (_inside_a_loop, "refers to data outside of the file"),
        (_custom, r"operators of the domain 'com.example'"),
        (_opset, r"ONNX Runtime refuses it"),
        (_cyclic, r"ONNX Runtime refuses it"),
        (_deep, "nested deeper"),
        (lambda model: model.SerializeToString()[:-40], "not"),
        (lambda _: b"", "ONNX Runtime refuses it"),
        (lambda _: b"PK\x03\x04 a zip file", "not"),
    ],
    ids=["parent", "beside", "inside", "custom", "opset", "cyclic", "deep", "cut off", "empty", "other"],
)
def test_f6_a_file_that_may_not_or_cannot_be_run_is_refused(tmp_path: Path, damage: Damage, words: str) -> None:
    path = write(tmp_path / "model", damage(build("plain")))
    (path / "weights.bin").write_bytes(bytes(4 * WIDTH * WIDTH))
    with pytest.raises(InvalidDataError, match=rf"imported@1 .*{words}"):
        RegisteredModel.load(path, name="imported@1")


def test_f6_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "model", build("plain"))
    with (path / "model.onnx").open("r+b") as file:
        file.truncate(MAX_MODEL_BYTES + 1)  # a hole: nothing is written
    with pytest.raises(InvalidDataError, match=r"imported@1 has 536,870,913 bytes, and at most"):
        RegisteredModel.load(path, name="imported@1")


@pytest.mark.parametrize("dims", [[2**62, 4], [2**63 - 1], [WIDTH * WIDTH * 2], [1], [-WIDTH, WIDTH]])
def test_f2_constants_that_are_not_of_the_size_that_they_say_are_refused(tmp_path: Path, dims: list[int]) -> None:
    model = build("plain")
    tensor = max(model.graph.initializer, key=lambda each: each.ByteSize())
    tensor.dims[:] = dims
    with pytest.raises(InvalidDataError, match="imported@1 cannot be run: ONNX Runtime refuses it"):
        RegisteredModel.load(write(tmp_path / "model", model), name="imported@1")


def test_f3_a_file_that_is_cut_or_changed_is_loaded_or_refused_and_nothing_else(tmp_path: Path) -> None:
    """Those that are loaded have bits of a weight changed: that is what digests are for, before."""
    whole = build("plain").SerializeToString()
    path = write(tmp_path / "model", whole) / "model.onnx"
    num_refused = 0
    for position in range(0, len(whole), 83):
        for damaged in (whole[:position], whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]):
            path.write_bytes(damaged)
            try:
                RegisteredModel.load(path.parent, name="imported@1")
            except InvalidDataError:
                num_refused += 1
    assert num_refused > len(whole) / 83


@pytest.mark.parametrize("job", JOBS)
def test_f6_every_job_on_models_refuses_it(tmp_path: Path, job: str) -> None:
    bad = write(tmp_path / "bad", _outside("../../etc/passwd")(build("plain")))
    good = write(tmp_path / "good", build("branch"))
    environment = _job(tmp_path, job, [bad, good])
    with pytest.raises(InvalidDataError, match=r"imported@1 is not run: it refers to data outside of the file"):
        _run(environment)
    assert not environment.model_path.exists()


@pytest.mark.parametrize("kind", [*KINDS, "int8"])
def test_each_method_changes_a_graph_rightly_or_says_why_not(tmp_path: Path, kind: str) -> None:
    """Of those that train nothing; tolerances are those of what a method gives up."""
    model = _make(kind, tmp_path)
    ground = build_ground(model, tmp_path)
    original = answer(model, ground)
    applied: dict[str, float] = {}
    refused: dict[str, str] = {}
    for method in (Optimization(), Quantization(), Factorization(), Sparsification()):
        try:
            proposals = [each for each in method.propose(model, ground) if not each.is_trained]
        except UnfitError as error:
            refused[method.method] = str(error)
            continue
        for proposal in proposals:
            if proposal.settings.get("bits") == 4:
                continue
            smaller = method.apply(model, proposal.settings, ground)
            assert smaller.ByteSize() < model.ByteSize()
            key = f"{method.method} {proposal.settings.get('mode', '')}".strip()
            applied[key] = float(np.abs(answer(smaller, ground) - original).max())
    assert applied.pop("optimization") < 1e-5
    # It answers as before once it is trained on.
    applied.pop("sparsification", None)
    assert all(difference < 0.12 for difference in applied.values()), applied
    if kind == "int8":
        assert "int8 already" in refused["quantization"]
        assert "quantized already" in refused["factorization"]
        assert "quantized already" in refused["sparsification"]
    else:
        assert {"quantization weights", "quantization static", "quantization dynamic"} <= applied.keys()


def test_models_of_all_kinds_join_in_one_graph(tmp_path: Path) -> None:
    models = [
        RegisteredModel.load(write(tmp_path / kind, _make(kind, tmp_path)), name=f"{kind}@1")
        for kind in (*KINDS, "int8")
    ]
    weights = np.arange(1, len(models) + 1) / sum(range(1, len(models) + 1))
    target = Target(column="answer", task=Task.BINARY, labels=LABELS)
    joined = to_one_graph(models, WeightedMean(weights=weights, task=Task.BINARY), target)
    rows = inputs_of(make_rows(50))
    session = onnxruntime.InferenceSession(joined, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], rows)[0]
    own = sum(weight * model.scorer.run(rows)[-1] for weight, model in zip(weights, models, strict=True))
    np.testing.assert_allclose(found, own, atol=1e-5)


def test_operations_within_loops_and_branches_are_counted() -> None:
    rows = [{name: values[:1] for name, values in inputs_of(make_rows(1)).items()}]
    counts = {kind: operations.count(build(kind).SerializeToString(), rows) for kind in KINDS}
    layer = 2 * WIDTH * WIDTH
    assert counts["branch"] == pytest.approx(counts["plain"], abs=20)  # of two branches that which is taken
    assert counts["loop"] - counts["plain"] == pytest.approx((NUM_STEPS - 1) * layer, abs=4 * WIDTH)
    assert counts["scan"] - counts["plain"] == pytest.approx((NUM_STEPS - 1) * layer, abs=8 * WIDTH)


def test_an_imported_loop_is_compressed_and_answers_its_golden_request(tmp_path: Path) -> None:
    parent = write(tmp_path / "parent", build("loop"))
    environment = _job(tmp_path, "compress", [parent], methods=["optimization", "quantization"], max_model_bytes=9_000)
    _run(environment)
    card = Card.model_validate_json((environment.model_path / "card.json").read_bytes())
    table = Compression.model_validate_json((environment.output_path / "compression.json").read_bytes())
    assert card.model_bytes < 0.5 * table.candidates[0].cost.model_bytes
    assert card.hyperparameters["compressed_from"] == "imported@1"
    RegisteredModel.load(environment.model_path, name="smaller@1")


def test_a_model_that_is_int8_already_says_so_where_nothing_is_gained(tmp_path: Path) -> None:
    parent = write(tmp_path / "parent", _make("int8", tmp_path))
    environment = _job(tmp_path, "compress", [parent], methods=["quantization", "factorization"])
    with pytest.raises(InvalidRequestError, match=r"quantization: it is in int8 already.*imported@1 stays as it is"):
        _run(environment)


def test_an_imported_model_is_what_a_decomposition_is_compared_with(tmp_path: Path) -> None:
    environment = _job(tmp_path, "decompose", [write(tmp_path / "single", build("scan"))], num_active=1)
    _run(environment)
    document = Decomposition.model_validate_json((environment.output_path / "decomposition.json").read_bytes())
    assert document.wholes[0].name == "imported@1"
    assert (document.wholes[0].cost.num_operations or 0) > NUM_STEPS * 2 * WIDTH * WIDTH


def test_rows_that_a_model_answers_with_no_number_are_told(tmp_path: Path) -> None:
    model = build("plain")
    where = next(node for node in model.graph.node if node.op_type == "Where")
    where.op_type, where.input[:] = "Identity", [where.input[2]]
    columns = make_rows()
    columns = {**columns, "a": (columns["a"][0], [None, None, *columns["a"][1][2:]])}
    channels = {"train": write_channel(tmp_path / "holes", columns, target="answer")}
    environment = _job(tmp_path, "compress", [write(tmp_path / "parent", model)])
    validating = {**channels, "validation": channels["train"]}
    spec = environment.spec.model_copy(update={"data": environment.spec.data.model_copy(update={"validation": "x"})})  # type: ignore[union-attr]
    environment = build_environment(tmp_path / "job", validating, spec, models=environment.models)
    with pytest.raises(InvalidDataError, match=r"imported@1 cannot be compressed: it answers 2 of 400 rows with what"):
        _run(environment)
