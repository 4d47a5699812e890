"""A forest ends with the trees that there was time for."""

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.trees import RandomForestHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.sklearn.forest import RandomForest


class Listener:
    def __init__(self) -> None:
        self.messages: list[str] = []

    def step(self, step: int, num_steps: int, losses: object) -> None:
        del step, num_steps, losses

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_a_forest_ends_with_the_trees_that_there_was_time_for() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 3)).astype(np.float32)
    problem = Problem(task=Task.BINARY, kind=DataKind.TABLE, num_outputs=2, num_numeric=3, seed=0, num_threads=1)
    listener, asked = Listener(), iter(range(100))
    fitted = RandomForest(RandomForestHyperparameters(num_trees=80)).fit(
        problem,
        Examples(features=features, targets=(features[:, 0] > 0).astype(np.int64)),
        None,
        context=FitContext(listener=listener, is_time_up=lambda: next(asked) >= 3),
    )
    assert 1 < fitted.num_steps == len(fitted.forest.estimators_) < 80
    assert f"time was up after {fitted.num_steps} of 80 trees" in listener.messages[0]
    assert fitted.predict(features).shape == (60, 2)
