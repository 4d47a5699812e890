"""By region of the input: clusters, leaves of a shallow tree, or what a gate network has learned to tell apart."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Fitted
from batch_jobs.data.frames import Array
from batch_jobs.decompose.combining import Routing
from batch_jobs.decompose.contract import MIN_ROWS, Ground, UnfitError, limit_counts, take
from batch_jobs.decompose.experts import gate_target, train_expert
from batch_jobs.decompose.gates import Leaves, fit_clusters, fit_leaves
from batch_jobs.decompose.parts import Expert, PartModel
from batch_jobs.decompose.vectors import Vectors, fit_vectors
from batch_jobs.decompose.wholes import Whole
from batch_jobs.encoding.table import TableEncoder

_COUNTS = (4, 2, 8)
_ROWS_A_REGION = 200
_NUM_NAMED = 3


class Regions(ABC):
    """Satisfies Method, but for how regions are found."""

    method: DecompositionMethod

    @abstractmethod
    def divide(self, num_experts: int, ground: Ground) -> Fitted:
        """A gate whose scores are the shares of experts. Raises UnfitError."""

    @abstractmethod
    def explain(self, gate: Fitted, ground: Ground) -> list[str]:
        """What each region is."""

    def propose(self, ground: Ground) -> Sequence[int]:
        """Regions with some hundred rows."""
        _check(self.method, ground)
        most = ground.train.num_rows // _ROWS_A_REGION
        return limit_counts([count for count in _COUNTS if count <= most] or [2], ground)

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        _check(self.method, ground)
        ground.check_rows(num_experts)
        trainer, began = ground.trainer, time.monotonic()
        divided = self.divide(num_experts, ground)
        seconds = time.monotonic() - began
        shares = {part.name: divided.predict(ground.features(part)) for part in (ground.train, ground.validation)}
        trainer.num_fits_left = num_experts + (ground.spec.gate is not None)
        # What a row is given to later it is trained on; a row at a border may be given to several.
        routing = Routing(constants={}, num_active=ground.spec.num_active or 1)
        gate = self._train_gate(divided, shares, ground, seconds=seconds)
        if ground.spec.gate is not None:
            shares = {part.name: gate.predictor.predict(part.frame) for part in (ground.train, ground.validation)}
        chosen = {name: routing.choose(found) for name, found in shares.items()}
        purposes = self.explain(divided, ground)
        experts: list[Expert] = [
            train_expert(
                ground,
                number,
                rows=np.flatnonzero(chosen[ground.train.name][:, number]),
                validation_rows=np.flatnonzero(chosen[ground.validation.name][:, number]),
                purpose=purposes[number],
            )
            for number in range(len(purposes))
        ]
        constants = {number: expert.constant for number, expert in enumerate(experts) if expert.constant is not None}
        return Whole(
            name=f"{self.method} of {len(experts)}",
            method=self.method,
            target=ground.target,
            gate=gate,
            gate_purpose=f"which of {len(experts)} regions",
            experts=tuple(experts),
            combination=Routing(constants=constants),
        )

    def _train_gate(self, divided: Fitted, shares: dict[str, Array], ground: Ground, *, seconds: float) -> PartModel:
        """The division itself, or where the job says what its gate is, that, trained to repeat it."""
        train, validation = ground.train, ground.validation
        target = gate_target(ground.target, shares[train.name].shape[1])
        parts = [take(part, np.arange(part.num_rows), shares[part.name].argmax(axis=1)) for part in (train, validation)]
        if ground.spec.gate is not None:
            return ground.trainer.train("gate", target, *parts, is_gate=True)
        return ground.trainer.describe(
            divided,
            target,
            *parts,
            algorithm=str(self.method),
            framework="onnx",
            hyperparameters={"num_experts": target.num_outputs},
            seconds=seconds,
        )


class InTree(Regions):
    """Leaves of a tree that was grown to tell the target: with few cuts it finds where the task is another one."""

    method = DecompositionMethod.TREE

    def divide(self, num_experts: int, ground: Ground) -> Fitted:
        """See Regions."""
        train = ground.train
        leaves = fit_leaves(
            ground.features(train),
            train.truth,
            ground.target,
            num_leaves=num_experts,
            min_rows=MIN_ROWS,
            seed=ground.spec.seed,
        )
        if len(leaves.leaves) < 2:
            raise UnfitError(f"{self.method}: no cut in any column tells anything about the target")
        return leaves

    def explain(self, gate: Fitted, ground: Ground) -> list[str]:
        """The cuts."""
        assert isinstance(gate, Leaves)  # noqa: S101  see divide
        return [f"rows where {condition}" for condition in gate.conditions(_feature_names(ground))]


class InClusters(Regions):
    """Clusters of rows that are alike, whatever the target is."""

    method = DecompositionMethod.CLUSTERS

    def divide(self, num_experts: int, ground: Ground) -> Fitted:
        """See Regions."""
        features = ground.features(ground.train)
        vectors = fit_table_vectors(ground, features)
        if len(np.unique(vectors.transform(features), axis=0)) < num_experts:
            raise UnfitError(f"{self.method}: there are fewer than {num_experts} different rows")
        return fit_clusters(vectors, features, num_clusters=num_experts, seed=ground.spec.seed)

    def explain(self, gate: Fitted, ground: Ground) -> list[str]:
        """The columns in which a cluster differs most from all rows."""
        return explain_shares(gate, ground)


class InMixture(Regions):
    """A mixture of experts: a gate network that is learned together with small experts (Jacobs et al. 1991), whose
    place the experts proper then take."""

    method = DecompositionMethod.MIXTURE

    def divide(self, num_experts: int, ground: Ground) -> Fitted:
        """See Regions."""
        # It imports torch.
        from batch_jobs.decompose.mixture import fit_mixture

        features = ground.features(ground.train)
        return fit_mixture(
            fit_table_vectors(ground, features),
            features,
            ground.train.truth,
            ground.target,
            num_experts=num_experts,
            seed=ground.spec.seed,
            deadline=ground.trainer.deadline,
        )

    def explain(self, gate: Fitted, ground: Ground) -> list[str]:
        """The columns in which a region differs most from all rows."""
        return explain_shares(gate, ground)


def fit_table_vectors(ground: Ground, features: Array) -> Vectors:
    """Of the training rows."""
    encoder = ground.trainer.encoder
    return fit_vectors(features, num_numeric=encoder.num_numeric, cardinalities=encoder.cardinalities)


def explain_shares(gate: Fitted, ground: Ground) -> list[str]:
    """Of each region the columns whose mean there is furthest from that of all rows, in deviations."""
    features = ground.features(ground.train)
    numbers = features[:, : ground.trainer.encoder.num_numeric].astype(np.float64)
    names, regions = _feature_names(ground), gate.predict(features)
    chosen = regions.argmax(axis=1)
    if not numbers.shape[1]:
        return [f"region {number + 1}" for number in range(regions.shape[1])]
    is_known = ~np.isnan(numbers)
    means = np.where(is_known, numbers, 0).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)
    filled = np.where(is_known, numbers, means)
    deviations = np.maximum(filled.std(axis=0), 1e-12)
    found = []
    for number in range(regions.shape[1]):
        own = filled[chosen == number]
        if not len(own):
            found.append("no row of training")
            continue
        away = (own.mean(axis=0) - means) / deviations
        order = np.argsort(-np.abs(away), kind="stable")[:_NUM_NAMED]
        words = [f"{names[column]} around {own[:, column].mean():.4g}" for column in order]
        found.append("rows with " + ", ".join(words))
    return found


def _check(method: DecompositionMethod, ground: Ground) -> None:
    kind, target = ground.material.data_kind, ground.target
    if target.task is Task.FORECASTING:
        raise UnfitError(f"{method} splits rows of a table, and this is a forecast: choose components")
    if kind is not DataKind.TABLE:
        reason = {
            DataKind.TEXT: "numbers of words have no distance",
            DataKind.IMAGES: "pixels are alike in images that show different things",
            DataKind.SERIES: "values at one time mean nothing by themselves",
        }[kind]
        raise UnfitError(f"{method} finds regions among the columns of a table, and these are {kind}: {reason}")


def _feature_names(ground: Ground) -> list[str]:
    """Of the columns of the encoded matrix."""
    encoder = ground.trainer.encoder
    assert isinstance(encoder, TableEncoder)  # noqa: S101  see _check
    return list(encoder.encoding.names)
