"""The models of a study, best first."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from aimass_core.domain.studies import Leaderboard, LeaderboardRow, TrialAttribute
from batch_jobs.search.goals import Goal

MAX_ROWS = 200


def build_leaderboard(
    ranked: Sequence[FrozenTrial], goals: Sequence[Goal], *, chosen: int | None, ensemble: LeaderboardRow | None = None
) -> Leaderboard:
    """Of the trials that keep all limits, best first, and the ensemble among them where there is one.

    Args:
        ranked: the trials.
        goals: of the study; the first one's value is the score.
        chosen: the number of the trial that was registered; None: it is the ensemble.
        ensemble: its row, of whatever rank.
    """
    rows = [_to_row(trial, is_chosen=trial.number == chosen) for trial in ranked[:MAX_ROWS]]
    if ensemble is not None:
        rows.append(ensemble.model_copy(update={"is_chosen": chosen is None}))
        rows.sort(key=lambda row: goals[0].sign * row.score)
    numbered = [row.model_copy(update={"rank": number}) for number, row in enumerate(rows, start=1)]
    return Leaderboard(metric=goals[0].metric, direction=goals[0].direction, rows=numbered)


def _to_row(trial: FrozenTrial, *, is_chosen: bool) -> LeaderboardRow:
    known = trial.user_attrs
    return LeaderboardRow(
        rank=0,
        name=f"trial {trial.number}",
        algorithm=str(known[TrialAttribute.ALGORITHM]),
        trial=trial.number,
        score=trial.values[0],
        latency_ms=known.get(TrialAttribute.LATENCY_MS),
        model_bytes=known.get(TrialAttribute.MODEL_BYTES),
        seconds=known.get(TrialAttribute.SECONDS),
        is_chosen=is_chosen,
    )
