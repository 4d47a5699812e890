"""The models of a study, best first."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from aimass_core.domain.studies import Leaderboard, LeaderboardRow, TrialAttribute
from batch_jobs.search.goals import Goal
from batch_jobs.search.running import measure
from batch_jobs.train.exporting import Exported

MAX_ROWS = 200


def build_leaderboard(
    ranked: Sequence[FrozenTrial],
    goals: Sequence[Goal],
    *,
    chosen: tuple[int, Exported] | None,
    made: LeaderboardRow | None = None,
) -> Leaderboard:
    """Of the trials that keep all limits, best first, and what was made of their models among them.

    Args:
        ranked: the trials.
        goals: of the study; the first one's value is the score.
        chosen: the number of the trial that was registered, and its model as it is handed over: on all rows it may
            have become another one. None: it is what was made of several, or none yet.
        made: the row of that, of whatever rank.
    """
    number, exported = chosen or (None, None)
    rows = [_to_row(trial, exported if trial.number == number else None) for trial in ranked[:MAX_ROWS]]
    if made is not None:
        rows.append(made.model_copy(update={"is_chosen": chosen is None}))
        rows.sort(key=lambda row: goals[0].sign * row.score)
    numbered = [row.model_copy(update={"rank": number}) for number, row in enumerate(rows, start=1)]
    return Leaderboard(metric=goals[0].metric, direction=goals[0].direction, rows=numbered)


def _to_row(trial: FrozenTrial, chosen: Exported | None) -> LeaderboardRow:
    known = dict(trial.user_attrs)
    if chosen is not None and chosen.card.is_refitted:
        figures = measure(chosen)
        known |= {TrialAttribute.LATENCY_MS: figures.latency_ms, TrialAttribute.MODEL_BYTES: figures.model_bytes}
    return LeaderboardRow(
        rank=0,
        name=f"trial {trial.number}",
        algorithm=str(known[TrialAttribute.ALGORITHM]),
        trial=trial.number,
        score=trial.values[0],
        latency_ms=known.get(TrialAttribute.LATENCY_MS),
        model_bytes=known.get(TrialAttribute.MODEL_BYTES),
        seconds=known.get(TrialAttribute.SECONDS),
        is_chosen=chosen is not None,
    )
