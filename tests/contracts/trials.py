"""What every reader of trials does. A test module subclasses this with its own `trials` and `leave` fixtures."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.studies import Trial, TrialState
from aimass_core.ports import Trials

Leave = Callable[[str, str, list[Trial]], None]
"""Writes the next trials of a study (workspace id, study id), as its workers do."""

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def new_trial(number: int = 0, state: TrialState = TrialState.COMPLETE) -> Trial:
    """One with all that a worker notes."""
    return Trial(
        number=number,
        state=state,
        values=[0.25 + number] if state is TrialState.COMPLETE else None,
        hyperparameters={"zeta": 0.1 + number, "max_depth": 7, "booster": "gbtree", "alpha": 1e-8},
        intermediate_values={1: 0.5, 2: 0.375, 10: 0.1},
        started_at=AT,
        completed_at=None if state is TrialState.RUNNING else AT.replace(minute=1),
        failure="The objective returned nan. It must return a finite number." if state is TrialState.FAIL else None,
        algorithm="xgboost",
        metrics={"validation/log_loss": 0.25, "validation/roc_auc": 0.93},
        model_bytes=12_345,
        latency_ms=0.07,
        seconds=1.5,
        worker=3,
        repeats=1,
    )


class TrialsContract:
    """The suite."""

    @pytest.fixture
    def trials(self) -> Trials:
        """The reader under test."""
        raise NotImplementedError

    @pytest.fixture
    def leave(self, trials: Trials) -> Leave:
        """See Leave."""
        raise NotImplementedError

    @pytest.fixture
    def workspace_id(self) -> str:
        """Of one test alone."""
        return new_id("ws")

    def test_a_study_that_nobody_has_begun_has_no_trials(self, trials: Trials, workspace_id: str) -> None:
        assert trials.list_trials(workspace_id, "std_1", limit=10) == ([], None)
        trials.delete_study(workspace_id, "std_1")

    @pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.RUNNING, TrialState.PRUNED, TrialState.FAIL])
    def test_a_trial_is_read_as_it_was_written(
        self, trials: Trials, leave: Leave, workspace_id: str, state: TrialState
    ) -> None:
        written = new_trial(state=state)
        leave(workspace_id, "std_1", [written])
        ((read,), after) = trials.list_trials(workspace_id, "std_1", limit=10)
        assert (read, after) == (written, None)
        assert list(read.hyperparameters) == list(written.hyperparameters), "in the order in which they were asked"
        assert list(read.intermediate_values) == [1, 2, 10]

    def test_pages_follow_each_other_without_a_gap(self, trials: Trials, leave: Leave, workspace_id: str) -> None:
        leave(workspace_id, "std_1", [new_trial(number) for number in range(7)])
        numbers, start = [], 0
        for _ in range(3):
            page, after = trials.list_trials(workspace_id, "std_1", limit=3, start=start)
            numbers += [trial.number for trial in page]
            start = after or 0
        assert numbers == list(range(7))
        assert after is None
        assert [trial.number for trial in trials.list_trials(workspace_id, "std_1", limit=7)[0]] == numbers
        assert trials.list_trials(workspace_id, "std_1", limit=7)[1] is None

    def test_studies_and_workspaces_are_apart(self, trials: Trials, leave: Leave, workspace_id: str) -> None:
        other = new_id("ws")
        leave(workspace_id, "std_1", [new_trial()])
        leave(workspace_id, "std_2", [new_trial(), new_trial(1)])
        leave(other, "std_1", [new_trial(), new_trial(1), new_trial(2)])
        trials.delete_study(workspace_id, "std_1")
        trials.delete_study(workspace_id, "std_1")
        assert trials.list_trials(workspace_id, "std_1", limit=10) == ([], None)
        assert len(trials.list_trials(workspace_id, "std_2", limit=10)[0]) == 2
        assert len(trials.list_trials(other, "std_1", limit=10)[0]) == 3

    def test_a_workspace_goes_with_all_its_studies(self, trials: Trials, leave: Leave, workspace_id: str) -> None:
        other = new_id("ws")
        for study_id in ("std_1", "std_2"):
            leave(workspace_id, study_id, [new_trial()])
        leave(other, "std_1", [new_trial()])
        assert trials.delete_workspace(workspace_id) == 2
        assert trials.delete_workspace(workspace_id) == 0
        assert trials.list_trials(workspace_id, "std_1", limit=10) == ([], None)
        assert len(trials.list_trials(other, "std_1", limit=10)[0]) == 1
