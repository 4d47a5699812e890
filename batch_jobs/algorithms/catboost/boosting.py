"""Boosting with a deadline, going on from a checkpoint, and the best round by our own measure.

CatBoost lets a fit be stopped after a round, and no more. What it then leaves is a snapshot, from which another fit
goes on as if nothing had happened, or with another learning rate.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from aimass_core.errors import InvalidDataError
from batch_jobs.algorithms.learning import Checkpoint, FitContext
from batch_jobs.algorithms.pace import BestRound, BoostingPace

_CURVES = {"Logloss": "log_loss", "MultiLogloss": "log_loss", "MultiClass": "log_loss", "RMSE": "rmse"}
_ACCURACY = "Accuracy"
_PARTS = {"learn": "train", "validation": "validation"}
_REPORT_EVERY = 10
_SNAPSHOT = "snapshot"


@dataclass(slots=True, kw_only=True)
class Progress(BestRound):
    """Rounds that are done, the best of them, and the rate of those to come."""

    num_done: int = 0
    rate: float


class Boosting:
    """One training: the callback of CatBoost's fits, in each of which it does some of the rounds."""

    def __init__(
        self,
        parameters: Mapping[str, Any],
        train: catboost.Pool,
        validation: catboost.Pool | None,
        *,
        rate: float,
        num_rounds: int,
        patience: int,
        context: FitContext,
    ) -> None:
        self._parameters, self._train, self._validation = parameters, train, validation
        self._num_rounds, self._patience, self._context = num_rounds, patience, context
        self._progress = Progress(rate=rate)
        self._pace: BoostingPace | None = None
        self._is_over = False

    def run(self) -> tuple[catboost.CatBoost, int]:
        """The model, cut at its best round, and the number of that round from 1."""
        checkpoints, listener = self._context.checkpoints, self._context.listener
        stored = checkpoints.load()
        if stored is not None and stored.is_finished:
            self._progress = Progress(**stored.document)
            model = catboost.CatBoost().load_model(blob=stored.arrays["model"].tobytes())
            return self._cut(model)
        self._context.scratch_path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._context.scratch_path) as folder:
            path = Path(folder)
            if stored is not None:
                self._progress = Progress(**stored.document)
                (path / _SNAPSHOT).write_bytes(stored.arrays["snapshot"].tobytes())
                listener.message(f"training goes on from a checkpoint after {self._progress.num_done} rounds")
            self._begin_pace()
            model = self._boost(path)
            while not self._is_over:
                checkpoints.reach(lambda: self._to_checkpoint(path))
                model = self._boost(path)
        if self._pace is not None:
            self._pace.finish(self._best_round)
        checkpoints.finish(Checkpoint(document=asdict(self._progress), arrays=_to_arrays(model), is_finished=True))
        return self._cut(model)

    def after_iteration(self, info: Any) -> bool:
        """Whether CatBoost is to go on; the signature is its own."""
        progress, context = self._progress, self._context
        figures = _figures(info.metrics)
        progress.num_done = info.iteration
        is_another_rate = self._is_another_rate()
        is_last = info.iteration >= self._num_rounds
        if self._validation is not None:
            is_last = progress.keep(info.iteration, figures) >= self._patience or is_last
        if info.iteration % _REPORT_EVERY == 1 or is_last:
            context.listener.step(info.iteration, self._num_rounds, figures)
        if not is_last and context.is_time_up():
            is_last = True
            context.listener.message(
                f"the job's time was up after {info.iteration} of at most {self._num_rounds} rounds. A larger "
                "max_seconds, or a higher learning_rate, lets it come to its end"
            )
        self._is_over = is_last
        return not (is_last or is_another_rate or context.checkpoints.is_due() or context.checkpoints.is_leaving())

    def _is_another_rate(self) -> bool:
        if self._pace is None or (rate := self._pace.after_round()) is None:
            return False
        self._progress.rate = rate
        # What the next fit takes to begin is not what rounds take.
        self._pace.forget()
        return True

    def _begin_pace(self) -> None:
        """None where the number of rounds is given, and their rate with it."""
        if self._context.num_steps is None:
            self._pace = BoostingPace(
                context=self._context,
                rate=self._progress.rate,
                num_rounds=self._num_rounds,
                rounds_first=self._progress.num_done,
            )

    def _boost(self, folder: Path) -> catboost.CatBoost:
        """All rounds so far, and some more."""
        model = catboost.CatBoost(
            {
                **self._parameters,
                "iterations": self._num_rounds,
                "learning_rate": self._progress.rate,
                "train_dir": str(folder),
                "save_snapshot": True,
                "snapshot_file": _SNAPSHOT,
                # It leaves one at its end: none is needed before.
                "snapshot_interval": 10**9,
            }
        )
        try:
            model.fit(self._train, eval_set=self._validation, callbacks=[self])
        except catboost.CatBoostError as error:
            reason = str(error).rpartition("cpp:")[2].partition(": ")[2] or str(error)
            raise InvalidDataError(f"CatBoost cannot learn from these rows: {reason}") from error
        return model

    @property
    def _best_round(self) -> int:
        return self._progress.best_round if self._validation is not None else self._progress.num_done

    def _cut(self, model: catboost.CatBoost) -> tuple[catboost.CatBoost, int]:
        model.shrink(ntree_end=self._best_round)
        return model, self._best_round

    def _to_checkpoint(self, folder: Path) -> Checkpoint:
        snapshot = np.fromfile(folder / _SNAPSHOT, dtype=np.uint8)
        return Checkpoint(document=asdict(self._progress), arrays={"snapshot": snapshot})


def _figures(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What the last round is worth, by the names of curves."""
    figures = {}
    for part, found in metrics.items():
        for name, values in found.items():
            metric = "accuracy" if name.startswith(_ACCURACY) else _CURVES[name]
            figures[f"{_PARTS[part]}/{metric}"] = float(values[-1])
    return figures


def _to_arrays(model: catboost.CatBoost) -> dict[str, NDArray[Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save_model(path)
        return {"model": np.fromfile(path, dtype=np.uint8)}
