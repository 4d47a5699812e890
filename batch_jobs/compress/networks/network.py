"""A model whose network methods can work on: its core, some rows of features, and the proof that torch repeats it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch

from aimass_core.domain.signatures import Signature
from batch_jobs.compress.contract import Ground, UnfitError
from batch_jobs.compress.networks.core import Core, encode, find_core, is_features
from batch_jobs.compress.networks.graphs import Array, EditableGraph
from batch_jobs.compress.networks.module import CoreModule, to_tensors
from batch_jobs.compress.networks.normal import fold_constants, is_sequence, settle_shapes
from batch_jobs.data.frames import Frame
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.train.material import TRAIN, Sample

_NUM_ROWS = 256
_CHECKED_ROWS = 64
_OLDEST_OPSET, _OPSET = 13, 20
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A core and the `features` of a few hundred training rows; `sequences` are those of any length."""

    core: Core
    features: Mapping[str, Array]
    sequences: frozenset[str]

    @property
    def graph(self) -> EditableGraph:
        """The whole graph, which may be changed."""
        return self.core.graph


def open_network(model: onnx.ModelProto, ground: Ground) -> Network:
    """A copy of the model, written so that its layers can be changed.

    Raises:
        UnfitError: It has no network, or one that torch does not repeat.
    """
    signature = ground.original.signature
    graph = EditableGraph(_modernise(model))
    fold_constants(graph)
    frame = sample_rows(ground, _NUM_ROWS)
    core = find_core(graph, signature)
    features = encode(core, frame, signature)
    sequences = frozenset(name for name in features if _is_sequence(name, features, signature))
    check_repeats(core, features, model, frame, signature)
    rows = np.arange(frame.num_rows)
    settle_shapes(core, features, (rows[:3], rows[3:8]), sequences)
    network = Network(core=find_core(graph, signature), features=features, sequences=sequences)
    check_repeats(network.core, features, model, frame, signature)
    return network


def sample_rows(ground: Ground, num_rows: int) -> Frame:
    """Of the training rows."""
    sample, chosen = _sample(ground, num_rows)
    return sample.frame.take(chosen)


def sample_truth(ground: Ground, num_rows: int) -> tuple[Array, Array]:
    """The truth of the same rows, and what the original answers."""
    sample, chosen = _sample(ground, num_rows)
    return sample.truth[chosen], ground.original.scorer.answer(sample.frame.take(chosen)).scores


def _sample(ground: Ground, num_rows: int) -> tuple[Sample, Array]:
    sample = ground.material.parts[TRAIN].sample(seed=ground.seed)
    return sample, np.sort(np.random.default_rng(ground.seed).permutation(sample.frame.num_rows)[:num_rows])


def check_repeats(
    core: Core, features: Mapping[str, Array], model: onnx.ModelProto, frame: Frame, signature: Signature
) -> None:
    """Raises UnfitError where torch answers otherwise than ONNX Runtime does."""
    rows = np.arange(min(frame.num_rows, _CHECKED_ROWS))
    expected = Scorer(model.SerializeToString(), signature).answer(frame.take(rows)).scores
    with torch.no_grad():
        (answer,) = CoreModule(core)(to_tensors(features, rows), [core.answer])
    found = answer.numpy()
    scale = 1.0 if signature.labels is not None else max(float(np.abs(expected).max()), 1e-6)
    if found.shape != expected.shape or float(np.abs(found - expected).max()) > _TOLERANCE * scale:
        raise UnfitError("the network cannot be trained: torch does not repeat the answers that the graph gives")


def _is_sequence(name: str, features: Mapping[str, Array], signature: Signature) -> bool:
    shapes = {spec.name: spec.shape for spec in signature.inputs}
    if name in shapes:
        return shapes[name][1:2] == [-1]
    return is_features(name) and is_sequence(torch.from_numpy(features[name][:1]))


def _modernise(model: onnx.ModelProto) -> onnx.ModelProto:
    """With operators as they are since opset 13."""
    opset = max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=1)
    if opset >= _OLDEST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, _OPSET)
    except RuntimeError as error:
        raise UnfitError(f"the graph has opset {opset}, which cannot be brought to {_OPSET}: {error}") from error
