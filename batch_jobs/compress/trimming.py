"""Trimming: smaller ensembles of trees. Leaves are joined, the others fitted again to what the original answers."""

from collections.abc import Sequence

import numpy as np
import onnx

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.algorithms.export.trees import cutting, reading, writing
from batch_jobs.algorithms.export.trees.reading import Ensemble, Found
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.graphs import require_standard
from batch_jobs.compress.optimization import OPERATOR, TABLES, TREES
from batch_jobs.compress.rows import run_values, sample_rows
from batch_jobs.data.frames import Array

LEAVES = "leaves"
"""The share of leaves that is kept."""
BITS = "bits"
"""Of a leaf's value and of the number of a test: 8, or 32 for as they are."""
_SHARES = (1.0, 0.5, 0.25, 0.1, 0.03)
_MAX_ROWS = 30_000
_MAX_VISITS = 2**22
_NUM_TESTS = 255
_MIN_LEAVES = 8


class Trimming:
    """See `contract.Method`."""

    @property
    def method(self) -> CompressionMethod:
        """Which one it is."""
        return CompressionMethod.TRIMMING

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:  # noqa: ARG002  of the contract
        """Shares of leaves; each as quick trees of full precision, and as small tables of bytes."""
        _find(model)
        return [
            Proposal(settings={LEAVES: share, BITS: bits, TREES: layout})
            for share in _SHARES
            for bits, layout in ((32, OPERATOR), (8, TABLES))
            if share < 1 or bits == 8
        ]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """Every ensemble in the graph by the same share."""
        share, bits = float(settings.get(LEAVES) or 1), int(settings.get(BITS) or 32)
        layout = str(settings.get(TREES, OPERATOR))
        if not 0 < share <= 1 or bits not in (8, 32) or layout not in (OPERATOR, TABLES):
            raise UnfitError(
                f"{dict(settings)}: {LEAVES} is above 0 and at most 1, {BITS} is 8 or 32, {TREES} is {OPERATOR!r} or "
                f"{TABLES!r}"
            )
        found = _find(model)
        num_trees = max(len(each.ensemble.trees.roots) for each in found)
        rows = sample_rows(ground, min(max(_MAX_VISITS // num_trees, 500), _MAX_ROWS))
        features = run_values(model, [each.features for each in found], rows, ground.original.signature)
        trimmed = [
            (each, _trim(each.ensemble, values, share=share, bits=bits))
            for each, values in zip(found, features, strict=True)
        ]
        try:
            return writing.write(model, trimmed, is_packed=layout == TABLES)
        except ValueError as error:
            raise UnfitError(f"it has {error}") from error


def _trim(ensemble: Ensemble, features: Array, *, share: float, bits: int) -> Ensemble:
    features = features.astype(np.float32).reshape(len(features), -1)
    summed = cutting.to_sums(ensemble)
    leaves = summed.trees.find_leaves(features)
    wanted = summed.trees.sum_leaves(leaves) + summed.base
    num_leaves = max(round(share * summed.trees.num_leaves), _MIN_LEAVES)
    trimmed = cutting.join_leaves(summed, leaves, num_leaves) if share < 1 else summed
    if bits == 8:
        trimmed = cutting.round_thresholds(trimmed, _NUM_TESTS)
    if trimmed is not summed:
        trimmed = cutting.refit(trimmed, features, wanted)
    return cutting.round_values(trimmed) if bits == 8 else trimmed


def _find(model: onnx.ModelProto) -> list[Found]:
    """Raises UnfitError where the model has no trees, or some that cannot be taken apart."""
    require_standard(model)
    try:
        found = reading.find(model.graph)
    except ValueError as error:
        raise UnfitError(f"it has {error}") from error
    if not found:
        raise UnfitError("it has no trees")
    return found
