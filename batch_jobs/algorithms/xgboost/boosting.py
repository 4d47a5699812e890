"""Boosting round by round: early stopping, a deadline, and going on from a checkpoint.

Not `xgboost.train`: continued from a model it counts its rounds from 0 again. And a booster that was loaded draws
other columns than one that was not, as the generator of its tree builder is no part of the model. Therefore every block
of 16 rounds begins with a new builder, and a checkpoint holds whole blocks: what follows is the same trees then.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.special import softmax

from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Checkpoint, FitContext
from batch_jobs.algorithms.pace import BestRound, BoostingPace

_CURVES = {"logloss": "log_loss", "mlogloss": "log_loss", "rmse": "rmse"}
_ERRORS = frozenset({"error", "merror"})
_REPORT_EVERY = 10
_BLOCK = 16
_MIN_HESSIAN = 1e-6


@dataclass(slots=True, kw_only=True)
class Progress(BestRound):
    """Rounds that are done, and the best of them."""

    num_done: int = 0


class Boosting:
    """One training. The losses are those of the last of `parts`, the first of which is trained on.

    `soft_classes` are how probable each class is of each row of the first: float32 [rows, classes].
    """

    def __init__(
        self,
        parameters: dict[str, Any],
        parts: Sequence[tuple[xgboost.DMatrix, str]],
        *,
        num_rounds: int,
        patience: int | None,
        soft_classes: NDArray[np.float32] | None = None,
    ) -> None:
        self._parameters, self._parts, self._soft_classes = parameters, parts, soft_classes
        self._num_rounds, self._patience = num_rounds, patience
        self._booster = xgboost.Booster(parameters, [matrix for matrix, _ in parts])
        self._progress = Progress()
        self._block = Progress()

    def run(self, context: FitContext) -> tuple[Any, int]:
        """The booster, cut at its best round, and the number of that round from 1.

        Raises:
            InvalidRequestError: There was no time for one round.
        """
        stored = context.checkpoints.load()
        if stored is not None:
            self._restore(stored)
        if stored is None or not stored.is_finished:
            if stored is not None:
                context.listener.message(f"training goes on from a checkpoint after {self._progress.num_done} rounds")
            pace = self._begin_pace(context)
            self._boost(context, pace)
            if pace is not None:
                pace.finish(self._best_round)
            context.checkpoints.finish(self._to_finished())
        return self._booster[: self._best_round], self._best_round

    @property
    def _best_round(self) -> int:
        return self._progress.best_round if self._patience is not None else self._progress.num_done

    def _boost(self, context: FitContext, pace: BoostingPace | None) -> None:
        matrix, _ = self._parts[0]
        progress = self._progress
        while progress.num_done < self._num_rounds:
            if context.is_time_up():
                self._say_time_is_up(context)
                return
            if progress.num_done % _BLOCK == 0:
                self._begin_block()
            self._update(matrix)
            losses = self._measure()
            progress.num_done += 1
            if pace is not None and (rate := pace.after_round()) is not None:
                self._booster.set_param({"learning_rate": rate})
            is_last = self._keep_best(losses)
            if progress.num_done % _REPORT_EVERY == 1 or progress.num_done == self._num_rounds or is_last:
                context.listener.step(progress.num_done, self._num_rounds, losses)
            if is_last:
                return
            if progress.num_done % _BLOCK == 0:
                self._block = replace(progress)
            context.checkpoints.reach(self._to_checkpoint)

    def _update(self, matrix: xgboost.DMatrix) -> None:
        """One round: by the booster's own objective, or by the cross entropy of probabilities, whose gradient is that
        of XGBoost's softmax with them in the place of ones and zeros."""
        if self._soft_classes is None:
            self._booster.update(matrix, iteration=self._progress.num_done)
            return
        found = softmax(self._booster.predict(matrix, output_margin=True, training=True), axis=1)
        self._booster.boost(
            matrix,
            self._progress.num_done,
            grad=found - self._soft_classes,
            hess=np.maximum(2 * found * (1 - found), _MIN_HESSIAN),
        )

    def _begin_pace(self, context: FitContext) -> BoostingPace | None:
        """None where the number of rounds is given, and their rate with it."""
        if context.num_steps is not None:
            return None
        rate, first = self._parameters["learning_rate"], self._progress.num_done
        return BoostingPace(context=context, rate=rate, num_rounds=self._num_rounds, rounds_first=first)

    def _begin_block(self) -> None:
        """NOTE: a booster keeps its tree builder until it is configured for another method."""
        self._booster.set_param({"tree_method": "approx"})
        self._booster.num_features()
        self._booster.set_param({"tree_method": self._parameters["tree_method"]})

    def _measure(self) -> dict[str, float]:
        """`[12]\ttrain-logloss:0.1\tvalidation-logloss:0.2` in our words."""
        losses = {}
        answer = self._booster.eval_set(list(self._parts), iteration=self._progress.num_done)
        for text in answer.split("\t")[1:]:
            name, _, value = text.rpartition(":")
            part, _, metric = name.partition("-")
            if metric in _ERRORS:
                losses[f"{part}/accuracy"] = 1 - float(value)
            else:
                losses[f"{part}/{_CURVES[metric]}"] = float(value)
        return losses

    def _keep_best(self, losses: dict[str, float]) -> bool:
        """Whether patience is lost."""
        progress = self._progress
        if self._patience is None:
            return False
        return progress.keep(progress.num_done, losses) >= self._patience

    def _say_time_is_up(self, context: FitContext) -> None:
        if not self._progress.num_done:
            raise InvalidRequestError("The job's time was up before the training began: give it a larger max_seconds.")
        context.listener.message(
            f"the job's time was up after {self._progress.num_done} of {self._num_rounds} rounds: the model is the "
            "best so far. Give it a larger max_seconds, a larger learning_rate, or fewer rounds"
        )

    def _to_checkpoint(self) -> Checkpoint:
        """The blocks that are whole; of the first one nothing is."""
        model = self._booster[: self._block.num_done].save_raw("ubj") if self._block.num_done else b""
        return Checkpoint(document=asdict(self._block), arrays={"booster": np.frombuffer(model, dtype=np.uint8)})

    def _to_finished(self) -> Checkpoint:
        model = np.frombuffer(self._booster.save_raw("ubj"), dtype=np.uint8)
        return Checkpoint(document=asdict(self._progress), arrays={"booster": model}, is_finished=True)

    def _restore(self, stored: Checkpoint) -> None:
        self._progress, self._block = Progress(**stored.document), Progress(**stored.document)
        if self._progress.num_done:
            model = bytearray(stored.arrays["booster"].tobytes())
            matrices = [matrix for matrix, _ in self._parts]
            self._booster = xgboost.Booster(self._parameters, matrices, model_file=model)
