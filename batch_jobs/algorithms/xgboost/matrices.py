"""Examples as XGBoost's matrices: in memory, or quantised in pages on disk where the features lie there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import xgboost
from numpy.typing import NDArray

from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, Problem
from batch_jobs.algorithms.sharing import Team
from batch_jobs.data.maps import blocks, is_on_disk


class Matrices:
    """Those of one fit; the first is trained on."""

    def __init__(self, problem: Problem, team: Team, *, max_bin: int, scratch_path: Path) -> None:
        self._problem, self._team, self._max_bin, self._scratch_path = problem, team, max_bin, scratch_path
        self._first: xgboost.DMatrix | None = None

    def build(self, examples: Examples) -> xgboost.DMatrix:
        """This process's part of the rows."""
        team, num_threads = self._team, self._problem.num_threads
        if examples.num_rows < team.num_processes:
            raise InvalidRequestError(
                f"{examples.num_rows} rows cannot be shared by {team.num_processes} machines: train on fewer machines"
            )
        features, targets = examples.own(team.rank, team.num_processes)
        if not is_on_disk(features):
            return xgboost.DMatrix(features, label=targets, nthread=num_threads)
        pages = _Pages(features, targets, self._scratch_path)
        matrix = xgboost.ExtMemQuantileDMatrix(pages, nthread=num_threads, max_bin=self._max_bin, ref=self._first)
        self._first = self._first or matrix
        return matrix


class _Pages(xgboost.DataIter):  # type: ignore[misc]
    """The rows, again and again; XGBoost keeps its own quantised pages of them."""

    def __init__(self, features: NDArray[Any], targets: NDArray[Any], folder: Path) -> None:
        """XGBoost names its files by this prefix and the matrix's address, and removes them with the matrix."""
        self._features, self._targets = features, targets
        self._begin()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(cache_prefix=str(folder / "pages"))

    def _begin(self) -> None:
        self._blocks: Iterator[NDArray[Any]] = blocks(self._features)
        self._start = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        """The signature is XGBoost's."""
        block = next(self._blocks, None)
        if block is None:
            return False
        end = self._start + len(block)
        input_data(data=block, label=self._targets[self._start : end])
        self._start = end
        return True

    def reset(self) -> None:
        """The signature is XGBoost's."""
        self._begin()
