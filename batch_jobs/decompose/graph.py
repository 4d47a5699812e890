"""A decomposition as one ONNX graph, in which a row is given to those experts only that the gate chooses for it.

The columns are encoded once for all parts that share an encoder. An expert is the branch of an `If`: where no row of
a request is for it, it is not run.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from aimass_core.domain.signatures import Signature
from batch_jobs.algorithms.export.assembly import ANSWERED, build_answer_graph, name_inputs
from batch_jobs.algorithms.export.builder import OPSET, GraphBuilder, finish
from batch_jobs.algorithms.export.ensembles import join_signatures
from batch_jobs.algorithms.export.names import share_duplicates
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import TargetScale
from batch_jobs.decompose.combining import Cascading, Decoding, Routing, Summing
from batch_jobs.decompose.parts import Expert, PartModel
from batch_jobs.decompose.wholes import Whole
from batch_jobs.train.interface import build_signature
from batch_jobs.train.material import Material


def join_parts_signatures(whole: Whole, material: Material) -> Signature:
    """What the whole takes and gives."""
    parts = [*([whole.gate] if whole.gate is not None else []), *(expert.part for expert in whole.experts)]
    inputs = join_signatures([part.exported.signature for part in parts]).inputs
    return build_signature(material, parts[0].predictor.encoder).model_copy(update={"inputs": inputs})


def build_graph(whole: Whole, material: Material, scale: TargetScale) -> onnx.ModelProto:
    """The graph of all, checked.

    Args:
        whole: Its parts and how they are combined.
        material: The columns that they read.
        scale: The unit of the whole's values; classes have none.
    """
    writer = _Writer(whole, name_inputs(column.name for column in material.columns), scale)
    core = writer.write()
    answer = build_answer_graph(whole.target, scale).graph
    model = helper.make_model(
        helper.make_graph(
            [*core.node, *answer.node],
            "aimass",
            core.input,
            answer.output,
            [*core.initializer, *answer.initializer],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    share_duplicates(model.graph)
    onnx.checker.check_model(finish(model), full_check=True)
    return model


class _Writer:
    def __init__(self, whole: Whole, names: Mapping[str, str], scale: TargetScale) -> None:
        self._whole, self._names, self._scale = whole, names, scale
        self._graph = GraphBuilder("whole")
        self._inputs: set[str] = set()
        self._features: dict[int, str] = {}
        self._num_outputs = whole.target.num_outputs

    def write(self) -> onnx.GraphProto:
        """From raw columns to the whole's scores."""
        match self._whole.combination:
            case Routing() as routing:
                scores = self._route(routing)
            case Cascading() as cascading:
                scores = self._follow(cascading)
            case Summing() as summing:
                scores = self._sum(summing)
            case Decoding() as decoding:
                scores = self._decode(decoding)
        self._graph.output(scores, ANSWERED, TensorProto.FLOAT, ["rows", self._num_outputs])
        return self._graph.build().graph

    def _encode(self, part: PartModel) -> str:
        encoder = part.predictor.encoder
        if id(encoder) not in self._features:
            encoding = finish(encoder.to_onnx(self._names))
            for value in encoding.graph.input:
                if value.name not in self._inputs:
                    self._inputs.add(value.name)
                    tensor = value.type.tensor_type
                    shape = [each.dim_param or each.dim_value or None for each in tensor.shape.dim]
                    self._graph.input(value.name, tensor.elem_type, shape)
            own = {value.name: value.name for value in encoding.graph.input}
            (self._features[id(encoder)],) = self._graph.insert(encoding, own)
        return self._features[id(encoder)]

    def _route(self, routing: Routing) -> str:
        graph, gate = self._graph, self._whole.gate
        assert gate is not None  # noqa: S101  a routing has a gate
        num_experts = len(self._whole.experts)
        (shares,) = graph.insert(gate.core, {FEATURES: self._encode(gate)})
        chosen = graph.node("GreaterOrEqual", shares, self._limit(shares, routing, num_experts))
        weights = shares
        if routing.priors is None:
            kept = graph.node("Where", chosen, shares, graph.constant(0, np.float32))
            weights = graph.node("Div", kept, graph.node("ReduceSum", kept, self._axis(1), keepdims=1))
        table = routing.table(num_experts, self._num_outputs)
        if self._whole.target.labels is None and routing.constants:
            positions = list(routing.constants)
            table[positions] = self._scale.to_standard(table[positions].astype(np.float64))
        scores = graph.node("MatMul", weights, graph.constant(table, np.float32))
        for position in routing.running(num_experts):
            scores = self._give(position, chosen, weights, scores, table[position])
        return scores

    def _limit(self, shares: str, routing: Routing, num_experts: int) -> str:
        graph = self._graph
        num_active = min(routing.num_active, num_experts)
        if num_active == 1:
            return graph.node("ReduceMax", shares, self._axis(1), keepdims=1)
        best, _ = graph.nodes("TopK", shares, graph.constant([num_active], np.int64), num_outputs=2, axis=1)
        first = graph.node("Gather", best, graph.constant([0], np.int64), axis=1)
        last = graph.node("Gather", best, graph.constant([num_active - 1], np.int64), axis=1)
        return graph.node("Max", last, graph.node("Min", first, graph.constant(routing.min_share, np.float32)))

    def _give(self, position: int, chosen: str, weights: str, scores: str, instead: Array) -> str:
        """Adds the answers of one expert to the scores, where there are rows for it."""
        own = self._graph.node("Gather", chosen, self._graph.constant(position, np.int64), axis=1)

        def weigh(run: GraphBuilder, index: str, answer: str) -> str:
            if instead.any():
                answer = run.node("Sub", answer, run.constant(instead, np.float32))
            weight = run.node(
                "Gather", run.node("Gather", weights, index, axis=0), run.constant([position], np.int64), axis=1
            )
            return run.node("Mul", answer, weight)

        return self._ask(position, own, scores, weigh, reduction="add")

    def _follow(self, cascading: Cascading) -> str:
        graph, first = self._graph, self._whole.experts[0]
        scores, unsure = self._answer(graph, first, self._encode(first.part)), ""
        for position, limit in enumerate(cascading.limits, start=1):
            sure = graph.node("ReduceMax", scores, self._axis(1), keepdims=0)
            now = graph.node("Less", sure, graph.constant(limit, np.float32))
            unsure = graph.node("And", unsure, now) if unsure else now
            scores = self._ask(position, unsure, scores, lambda _run, _index, answer: answer, reduction="none")
        return scores

    def _ask(
        self,
        position: int,
        is_asked: str,
        scores: str,
        finish_answer: Callable[[GraphBuilder, str, str], str],
        *,
        reduction: str,
    ) -> str:
        """The scores with what an expert answers in the rows in which it is asked; it is not run where there are none.

        `finish_answer` is given the branch, the positions of these rows and the answers, and says what is written.
        """
        graph, expert = self._graph, self._whole.experts[position]
        features = self._encode(expert.part)
        rows = graph.node("NonZero", is_asked)
        has_rows = graph.node("Greater", graph.node("Size", rows), graph.constant(0, np.int64))
        run, skip = graph.branch(), graph.branch()
        index = run.node("Squeeze", rows, self._axis(0))
        answer = finish_answer(run, index, self._answer(run, expert, run.node("Gather", features, index, axis=0)))
        places = run.node("Transpose", rows, perm=[1, 0])
        changed = run.node("ScatterND", scores, places, answer, reduction=reduction)
        for branch, value in ((run, changed), (skip, scores)):
            branch.output(value, graph.new_name("scores"), TensorProto.FLOAT, ["rows", self._num_outputs])
        return graph.node("If", has_rows, then_branch=run.to_inner_graph(), else_branch=skip.to_inner_graph())

    def _answer(self, graph: GraphBuilder, expert: Expert, features: str) -> str:
        """In the whole's units, 0 where the expert has none of its outputs."""
        (scores,) = graph.insert(expert.part.core, {FEATURES: features})
        own, unit = expert.part.predictor.scale, self._scale
        if self._whole.target.labels is None and own != unit:
            factor, offset = own.deviation / unit.deviation, (own.mean - unit.mean) / unit.deviation
            scaled = graph.node("Mul", scores, graph.constant(factor, np.float32))
            scores = graph.node("Add", scaled, graph.constant(offset, np.float32))
        if expert.places is None or expert.places == tuple(range(self._num_outputs)):
            return scores
        # The column behind the last is 0.
        padded = graph.node("Pad", scores, graph.constant([0, 0, 0, 1], np.int64))
        places = np.full(self._num_outputs, len(expert.places))
        places[list(expert.places)] = np.arange(len(expert.places))
        return graph.node("Gather", padded, graph.constant(places, np.int64), axis=1)

    def _sum(self, summing: Summing) -> str:
        graph, unit, has_values = self._graph, self._scale, self._whole.target.labels is None
        terms, mean = [], 0.0
        for expert, weight in zip(self._whole.experts, summing.weights, strict=True):
            own = expert.part.predictor.scale
            mean += weight * own.mean
            factor = weight * own.deviation / unit.deviation if has_values else weight
            (scores,) = graph.insert(expert.part.core, {FEATURES: self._encode(expert.part)})
            terms.append(graph.node("Mul", scores, graph.constant(factor, np.float32)))
        total = graph.node("Sum", *terms)
        if not has_values:
            return total
        return graph.node("Add", total, graph.constant((mean - unit.mean) / unit.deviation, np.float32))

    def _decode(self, decoding: Decoding) -> str:
        graph = self._graph
        answers = []
        for expert in self._whole.experts:
            (scores,) = graph.insert(expert.part.core, {FEATURES: self._encode(expert.part)})
            answers.append(graph.node("Unsqueeze", scores, self._axis(1)))
        said = graph.node("Concat", *answers, axis=1)
        smallest = graph.constant(decoding.smallest, np.float32)
        logarithms = graph.node("Log", graph.node("Clip", said, smallest))
        terms = [
            graph.node(
                "MatMul",
                graph.node("Gather", logarithms, graph.constant(side, np.int64), axis=2),
                graph.constant(matrix, np.float32),
            )
            for side, matrix in enumerate(decoding.matrices())
        ]
        return graph.node("Softmax", graph.node("Add", *terms), axis=1)

    def _axis(self, axis: int) -> str:
        return self._graph.constant([axis], np.int64)
