"""When each worker did which trial, without the time in which nobody did any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.studies import TrialAttribute

_MAX_IDLE_SHARE = 0.05
_MAX_BARS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One trial, or several of one worker that ended alike, in seconds since the study began."""

    worker: int
    state: TrialState
    begin: float
    end: float
    first_number: int
    last_number: int

    @property
    def title(self) -> str:
        """The trials."""
        if self.first_number == self.last_number:
            return f"trial {self.first_number}"
        return f"trials {self.first_number} to {self.last_number}"


def to_bars(trials: Sequence[FrozenTrial]) -> list[Bar]:
    """In time's order. Pauses between the jobs of a study are cut short; of many bars neighbours become one."""
    begun = [(trial.datetime_start, trial) for trial in trials if trial.datetime_start is not None]
    if not begun:
        return []
    zero = min(start for start, _ in begun)
    now = max(trial.datetime_complete or start for start, trial in begun)
    bars = [
        Bar(
            worker=_worker(trial),
            state=trial.state,
            begin=(start - zero).total_seconds(),
            end=max(((trial.datetime_complete or now) - zero).total_seconds(), (start - zero).total_seconds()),
            first_number=trial.number,
            last_number=trial.number,
        )
        for start, trial in begun
    ]
    return _join(_without_pauses(sorted(bars, key=lambda bar: (bar.begin, bar.first_number))))


def _worker(trial: FrozenTrial) -> int:
    worker = trial.user_attrs.get(TrialAttribute.WORKER, 0)
    return worker if isinstance(worker, int) else 0


def _without_pauses(bars: Sequence[Bar]) -> list[Bar]:
    pauses: list[tuple[float, float]] = []
    busy_until = busy = 0.0
    for bar in bars:
        if bar.begin > busy_until:
            pauses.append((busy_until, bar.begin))
        busy += max(bar.end - max(bar.begin, busy_until), 0.0)
        busy_until = max(busy_until, bar.end)
    allowed = busy * _MAX_IDLE_SHARE
    cuts = [(end, end - begin - allowed) for begin, end in pauses if end - begin > allowed]

    def shift(bar: Bar) -> float:
        return sum(length for at, length in cuts if at <= bar.begin)

    return [replace(bar, begin=bar.begin - shift(bar), end=bar.end - shift(bar)) for bar in bars]


def _join(bars: Sequence[Bar]) -> list[Bar]:
    """Wider and wider gaps are closed until few enough are left."""
    gap = max(bar.end for bar in bars) / 10_000
    joined = list(bars)
    while len(joined) > _MAX_BARS and len(joined) > len({(bar.worker, bar.state) for bar in bars}):
        joined = _close(joined, gap)
        gap *= 1.2
    return joined


def _close(bars: Iterable[Bar], gap: float) -> list[Bar]:
    done: list[Bar] = []
    last: dict[tuple[int, TrialState], int] = {}
    for bar in bars:
        key = bar.worker, bar.state
        at = last.get(key)
        if at is not None and bar.begin - done[at].end <= gap:
            before = done[at]
            done[at] = replace(before, end=max(before.end, bar.end), last_number=bar.last_number)
        else:
            last[key] = len(done)
            done.append(bar)
    return done
