"""Studies of trials that are given, with their own numbers."""

import copy
from collections.abc import Container, Iterable, Sequence
from typing import Any

import optuna
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

_NAME = "given"


def to_study(trials: Iterable[FrozenTrial], directions: Sequence[StudyDirection]) -> optuna.Study:
    """To be read only. Added to a study, the trials would be numbered anew."""
    storage = _GivenTrials(trials)
    storage.create_new_study(directions, _NAME)
    return optuna.load_study(study_name=_NAME, storage=storage)


def with_fields(trial: FrozenTrial, **fields: Any) -> FrozenTrial:
    """A copy that differs in these."""
    found = copy.copy(trial)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


class _GivenTrials(InMemoryStorage):
    def __init__(self, trials: Iterable[FrozenTrial]) -> None:
        super().__init__()
        self._given = list(trials)

    def get_all_trials(
        self,
        study_id: int,  # noqa: ARG002  there is one
        deepcopy: bool = True,  # noqa: ARG002
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        return [trial for trial in self._given if states is None or trial.state in states]
