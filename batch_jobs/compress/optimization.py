"""Optimization: the same answers from fewer bytes. Constants folded and shared, names shortened, trees written anew."""

from collections.abc import Sequence

import onnx

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.algorithms.export.names import share_duplicates
from batch_jobs.algorithms.export.trees import reading, writing
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.graphs import fold, has_randomness, require_standard, shorten_names
from batch_jobs.compress.rows import require_equal

TREES = "trees"
OPERATOR, TABLES = "operator", "tables"
"""How trees are written: as the newest operator for them, which is the fastest; or as tables of small integers."""
_TOLERANCE = 1e-5
_LEAST_GAIN = 0.01


class Optimization:
    """See `contract.Method`."""

    @property
    def method(self) -> CompressionMethod:
        """Which one it is."""
        return CompressionMethod.OPTIMIZATION

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:  # noqa: ARG002  of the contract
        """One, and another for trees."""
        require_standard(model)
        if not any(node.op_type in reading.TREE_OPERATORS for node in model.graph.node):
            return [Proposal(settings={})]
        return [Proposal(settings={TREES: layout}) for layout in (OPERATOR, TABLES)]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """Raises UnfitError where it gains next to nothing, or a graph does not answer as before."""
        require_standard(model)
        layout = str(settings.get(TREES, OPERATOR))
        if layout not in (OPERATOR, TABLES):
            raise UnfitError(f"trees {layout!r}: write {OPERATOR!r} or {TABLES!r}")
        is_packed = layout == TABLES
        smaller = min((model, fold(model, ground.scratch_path)), key=_num_bytes)
        smaller = rewrite_trees(smaller, is_packed=is_packed)
        if not has_randomness(smaller):
            share_duplicates(smaller.graph)
        smaller = shorten_names(smaller)
        before, after = _num_bytes(model), _num_bytes(smaller)
        if after > (1 - _LEAST_GAIN) * before:
            raise UnfitError(f"it has {before:,} bytes and would have {after:,}: nothing in it is superfluous")
        require_equal(model, smaller, ground, tolerance=_TOLERANCE)
        return smaller


def rewrite_trees(model: onnx.ModelProto, *, is_packed: bool) -> onnx.ModelProto:
    """A copy with all ensembles of trees in fewer bytes; those that cannot be read stay as they are.

    Raises UnfitError where they are to be packed and cannot.
    """
    found: list[reading.Found] = []
    for position, node in enumerate(model.graph.node):
        if node.op_type not in reading.TREE_OPERATORS:
            continue
        try:
            found.append(reading.find_at(model.graph, position))
        except ValueError as error:
            if is_packed:
                raise UnfitError(f"it has {error}") from error
    try:
        return writing.write(model, [(each, each.ensemble) for each in found], is_packed=is_packed)
    except ValueError as error:
        if is_packed:
            raise UnfitError(f"it has {error}") from error
        return writing.write(model, [])


def _num_bytes(model: onnx.ModelProto) -> int:
    return int(model.ByteSize())
