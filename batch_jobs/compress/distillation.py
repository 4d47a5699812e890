"""Distillation: a smaller model that learns what the original answers (Hinton, Vinyals and Dean 2015).

The student is trained by the ordinary learners, behind an encoding of its own, on what lies halfway between the
original's answers and the truth. NOTE: more rows of a table, mixed from those that there are and answered by the
original (MUNGE: Bucila, Caruana and Niculescu-Mizil 2006), made students worse: of 60 trees on adult AUC .9280 with
them, .9312 without; the truth alone .9306, the answers alone .9312, halfway .9313.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.compression import CompressionMethod
from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.signatures import Datatype, Signature, Task
from aimass_core.domain.training import TrainSpec
from aimass_core.errors import InternalError
from batch_jobs.algorithms.export.assembly import name_inputs
from batch_jobs.algorithms.export.builder import INNER_PREFIX
from batch_jobs.algorithms.export.names import rename
from batch_jobs.algorithms.learning import Examples, FitContext, Fitted, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.students import Student, find_kind, propose_students, resolve_student
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import TargetScale, fit_scale
from batch_jobs.encoding.choice import fit_encoder
from batch_jobs.encoding.contract import Encoder
from batch_jobs.encoding.features.categories import Truth
from batch_jobs.encoding.features.fitting import fit_features
from batch_jobs.evaluate.export_check import check_export
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.train.export import export
from batch_jobs.train.exporting import to_scale
from batch_jobs.train.fitting import Predictor
from batch_jobs.train.material import TRAIN, Sample

_MAX_CHECKED = 5_000
_ELEMENTS = {Datatype.FP32: TensorProto.FLOAT, Datatype.FP64: TensorProto.DOUBLE}


@dataclass(slots=True)
class Distillation:
    """See `Method`. The original is asked once."""

    _answers: Array | None = None

    @property
    def method(self) -> CompressionMethod:
        """See Method."""
        return CompressionMethod.DISTILLATION

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        """See Method; the teacher is always the original."""
        task = ground.original.signature.task
        found = propose_students(ground.original, ground.material, num_leaves=_count_leaves(model))
        proposals = [Proposal(settings=settings, is_trained=True) for settings in found]
        if not proposals:
            raise UnfitError(f"no algorithm that is installed here can learn the answers of a {task} model")
        return proposals

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """See Method."""
        del model
        student = resolve_student(settings, ground.original)
        if self._answers is None:
            self._answers = _ask(ground)
        predictor = _teach(student, self._answers, ground)
        exported = take_inputs(onnx.load_from_string(export(predictor, ground.material)), ground.original.signature)
        _check(exported, predictor, ground)
        return exported


def _ask(ground: Ground) -> Array:
    """The original's answers to the training rows."""
    original = ground.original
    teacher = Scorer(original.model, original.signature, num_threads=ground.num_threads)
    return teacher.answer(ground.material.parts[TRAIN].sample(seed=ground.seed).frame).scores


def _teach(student: Student, answers: Array, ground: Ground) -> Predictor:
    material, target, part = ground.material, ground.material.target, ground.material.parts[TRAIN]
    scale = fit_scale(target, part.truth)
    kind = find_kind(ground.original, material)
    known = part.sample(seed=ground.seed)
    encoder = _fit_encoder(kind, student, known, scale, ground)
    examples = _to_examples(encoder.transform(known.frame), answers, part.truth, target.task, scale)
    problem = Problem(
        task=target.task,
        kind=kind,
        num_outputs=target.num_outputs,
        num_numeric=encoder.num_numeric,
        cardinalities=encoder.cardinalities,
        target_channel=target.position if target.horizon else None,
        target_scale=scale,
        seed=ground.seed,
        num_threads=ground.num_threads,
    )
    fitted = _fit(student, problem, examples, ground)
    return Predictor(fitted=fitted, encoder=encoder, scale=scale, labels=target.labels)


def _fit(student: Student, problem: Problem, examples: Examples, ground: Ground) -> Fitted:
    spec = TrainSpec(
        dataset="any",
        algorithm=student.algorithm.name,
        framework=student.framework,
        hyperparameters=student.hyperparameters.model_dump(mode="json"),
        seed=ground.seed,
    )

    def is_time_up() -> bool:
        left = ground.seconds_left()
        return left is not None and left <= 0

    context = FitContext(listener=_Silent(), is_time_up=is_time_up, scratch_path=ground.scratch_path)
    train, judges = (examples, None) if student.algorithm.is_of_trees else _hold_out(examples, seed=ground.seed)
    return build_learner(spec).fit(problem, train, judges, context=context)


def _hold_out(examples: Examples, *, seed: int) -> tuple[Examples, Examples]:
    """A tenth that says when a network has learned enough: the rows that judge candidates stay unseen."""
    order = np.random.default_rng(seed).permutation(examples.num_rows)
    size = max(examples.num_rows // 10, 1)
    return _take(examples, np.sort(order[size:])), _take(examples, np.sort(order[:size]))


def _take(examples: Examples, index: Array) -> Examples:
    soft = examples.soft_targets
    return Examples(
        features=examples.features[index],
        targets=examples.targets[index],
        soft_targets=None if soft is None else soft[index],
    )


def _fit_encoder(kind: DataKind, student: Student, known: Sample, scale: TargetScale, ground: Ground) -> Encoder:
    """A table's features are engineered as the original has them."""
    material, original, data = ground.material, ground.original, ground.spec.data
    if kind is DataKind.TABLE and original.card.features:
        truth = material.parts[TRAIN].truth
        values = truth if truth.dtype.kind != "f" else scale.to_standard(truth)
        return fit_features(
            FeatureSpec.model_validate(original.card.features),
            known.frame,
            material.columns,
            Truth(target=material.target, values=values, seed=ground.seed),
            num_threads=ground.num_threads,
            message=ground.message,
        )
    return fit_encoder(
        kind,
        known.frame,
        material.columns,
        targets=known.truth,
        hyperparameters=student.hyperparameters,
        image_shape=material.image_shape,
        window=data.num_window_rows if data is not None and material.target.horizon else None,
    )


def _to_examples(features: Array, answers: Array, truth: Array, task: Task, scale: TargetScale) -> Examples:
    """Halfway between answers and truth."""
    if not task.is_classification:
        values = scale.to_standard((answers.astype(np.float64) + truth) / 2)
        return Examples(features=features, targets=values[:, 0] if values.shape[1:] == (1,) else values)
    wanted = truth if task is Task.MULTILABEL else np.eye(answers.shape[1])[truth]
    soft = np.asarray((np.clip(answers, 0, 1) + wanted) / 2, dtype=np.float32)
    if task is Task.MULTILABEL:
        return Examples(features=features, targets=truth, soft_targets=soft)
    soft /= soft.sum(axis=1, keepdims=True)
    return Examples(features=features, targets=soft.argmax(axis=1).astype(np.int64), soft_targets=soft)


def _check(exported: onnx.ModelProto, predictor: Predictor, ground: Ground) -> None:
    """The graph has to answer as the framework does."""
    material, part, signature = ground.material, ground.material.parts[TRAIN], ground.original.signature
    frame = part.sample(seed=ground.seed).frame
    frame = frame.take(np.linspace(0, frame.num_rows - 1, num=min(frame.num_rows, _MAX_CHECKED)).astype(int))
    try:
        check_export(
            part.name,
            framework=predictor.predict(frame),
            exported=Scorer(exported.SerializeToString(), signature).answer(frame),
            target=material.target,
            scale=to_scale(material.target, part.truth),
        )
    except InternalError as error:
        raise UnfitError(error.message) from error


def take_inputs(model: onnx.ModelProto, signature: Signature) -> onnx.ModelProto:
    """The graph with inputs as a signature has them: their names, and numbers as float32 or float64."""
    own = name_inputs(spec.column or spec.name for spec in signature.inputs)
    wanted = {own[spec.column or spec.name]: spec for spec in signature.inputs}
    names, casts = {}, []
    for value in model.graph.input:
        spec, element = wanted[value.name], value.type.tensor_type.elem_type
        given = _ELEMENTS.get(spec.datatype, element)
        names[value.name] = spec.name if given == element else f"{INNER_PREFIX}input/{value.name}"
        if given != element:
            casts.append(helper.make_node("Cast", [spec.name], [names[value.name]], to=element))
    rename(model.graph, names)
    for value, before in zip(model.graph.input, names, strict=True):
        spec = wanted[before]
        value.name = spec.name
        value.type.tensor_type.elem_type = _ELEMENTS.get(spec.datatype, value.type.tensor_type.elem_type)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


def _count_leaves(model: onnx.ModelProto) -> int:
    """Of all trees of a graph."""
    modes: Iterable[bytes] = (
        mode
        for node in model.graph.node
        for attribute in node.attribute
        if attribute.name == "nodes_modes"
        for mode in attribute.strings
    )
    return sum(mode == b"LEAF" for mode in modes)


class _Silent:
    """Satisfies `Listener`: of a candidate only its figures are told."""

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        """See Listener."""

    def message(self, text: str) -> None:
        """See Listener."""
