"""By groups of features: each expert reads some of the columns, and their answers are averaged with weights.

Columns that say the same (by the rank correlation of their values) are together, so that experts differ.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.schemas import Column
from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.splits import k_folds
from batch_jobs.decompose.combining import Summing
from batch_jobs.decompose.contract import Ground, UnfitError
from batch_jobs.decompose.methods.hierarchy import group_classes
from batch_jobs.decompose.parts import Expert, describe_labels, expert_name
from batch_jobs.decompose.wholes import Whole
from batch_jobs.encoding.table import fit_table_encoder

_COUNTS = (2, 3)
_MAX_ROWS, _MAX_COLUMNS = 5000, 2000
_NUM_FOLDS = 5
_NUM_ROUNDS = 200


class FeatureGroups:
    """Satisfies Method."""

    method = DecompositionMethod.FEATURE_GROUPS

    def propose(self, ground: Ground) -> Sequence[int]:
        """A few."""
        _check(ground)
        return [count for count in _COUNTS if count <= len(ground.material.columns)]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        _check(ground)
        columns, trainer, validation = ground.material.columns, ground.trainer, ground.validation
        if num_experts > len(columns):
            raise UnfitError(f"{len(columns)} columns cannot be divided among {num_experts} experts: choose fewer")
        groups = group_classes(find_correlations(ground), num_experts)
        trainer.num_fits_left = len(groups)
        experts: list[Expert] = []
        for number, group in enumerate(groups):
            own = [columns[index] for index in group]
            part = trainer.train(expert_name(number), ground.target, ground.train, validation, columns=own)
            purpose = f"columns {describe_labels([column.name for column in own])}"
            experts.append(Expert(purpose=purpose, part=part))
        frame = ground.frame(validation)
        answers = [expert.part.answer(frame) for expert in experts]
        weights, scores = fit_weights(answers, validation.truth, ground)
        return Whole(
            name=f"{self.method} of {len(experts)}",
            method=self.method,
            target=ground.target,
            experts=tuple(experts),
            combination=Summing(weights=tuple(weights.tolist())),
            scores=scores,
        )


def find_correlations(ground: Ground) -> Array:
    """Between columns: the largest between their features, by ranks [columns, columns]."""
    part, columns = ground.train, ground.material.columns
    rows = np.random.default_rng(ground.spec.seed).permutation(part.num_rows)[:_MAX_ROWS]
    frame = ground.frame(part.take(np.sort(rows), name=part.name))
    features, owners = [], []
    for position, column in enumerate(columns):
        found = _encode(frame, column)
        features.append(found)
        owners += [position] * found.shape[1]
    ranks = np.stack([rankdata(values) for values in np.concatenate(features, axis=1).T])
    ranks -= ranks.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(ranks, axis=1, keepdims=True)
    ranks /= np.where(lengths > 0, lengths, 1)
    between = np.abs(ranks @ ranks.T)
    largest = np.zeros((len(columns), len(columns)))
    np.maximum.at(largest, np.ix_(owners, owners), between)
    return largest


def _encode(frame: Frame, column: Column) -> Array:
    """The missing is less than all others."""
    encoder = fit_table_encoder(frame, [column])
    return np.nan_to_num(encoder.transform(frame).astype(np.float64), nan=-np.inf)


def fit_weights(answers: Sequence[Array], truth: Array, ground: Ground) -> tuple[Array, Array]:
    """Weights of at least 0 that add up to 1, and the scores of rows by weights that these rows had no part in."""
    target = ground.target
    stacked = np.stack(answers).astype(np.float64)
    classes = truth if target.task in (Task.BINARY, Task.MULTICLASS) else None
    num_folds = min(_NUM_FOLDS, len(truth))
    scores = np.empty(stacked.shape[1:], dtype=np.float32)
    if num_folds < 2:
        even = np.full(len(answers), 1 / len(answers))
        return even, np.tensordot(even, stacked, axes=1).astype(np.float32)
    for split in k_folds(len(truth), classes=classes, num_folds=num_folds, seed=ground.spec.seed):
        weights = _fit(stacked[:, split.train], truth[split.train], is_values=target.labels is None)
        scores[split.validation] = np.tensordot(weights, stacked[:, split.validation], axes=1)
    return _fit(stacked, truth, is_values=target.labels is None), scores


def _fit(answers: Array, truth: Array, *, is_values: bool) -> Array:
    """Of probabilities by expectation and maximisation of the likelihood, of values by least squares."""
    count = len(answers)
    weights = np.full(count, 1 / count)
    if is_values:
        errors = answers.reshape(count, -1) - truth.reshape(1, -1)
        return _least_squares(errors @ errors.T / errors.shape[1])
    if truth.ndim == 1:
        likely = answers[:, np.arange(len(truth)), truth]
    else:
        likely = np.where(truth == 1, answers, 1 - answers).reshape(count, -1)
    likely = np.maximum(likely, 1e-12)
    for _ in range(_NUM_ROUNDS):
        parts = weights[:, None] * likely
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    return np.asarray(weights)


def _least_squares(products: Array) -> Array:
    """Of at least 0 and adding up to 1, by multiplicative steps (exponentiated gradient)."""
    count = len(products)
    weights = np.full(count, 1 / count)
    rate = 1 / max(float(np.trace(products)), 1e-300)
    for _ in range(20 * _NUM_ROUNDS):
        weights = weights * np.exp(-rate * (products @ weights))
        weights /= weights.sum()
    return np.asarray(weights)


def _check(ground: Ground) -> None:
    kind = ground.material.data_kind
    if kind is not DataKind.TABLE:
        raise UnfitError(f"feature_groups divides the columns of a table, and these are {kind}")
    if len(ground.material.columns) < 2:
        raise UnfitError("feature_groups divides columns, and there is one alone")
    if len(ground.material.columns) > _MAX_COLUMNS:
        raise UnfitError(
            f"feature_groups compares all columns with each other, and there are {len(ground.material.columns):,}; "
            f"{_MAX_COLUMNS:,} is most"
        )
