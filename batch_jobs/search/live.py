"""What is to be seen of a study while it runs, and stays where its job is stopped: its leaderboard and its pictures."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from optuna.study import Study

from aimass_core.domain.studies import Leaderboard
from batch_jobs.search.archive import Archive
from batch_jobs.search.goals import Goal, rank
from batch_jobs.search.leaderboards import build_leaderboard
from batch_jobs.search.pictures import write_pictures

LEADERBOARD = "leaderboard.json"
# Between two drawings so many times what one takes: pictures are to cost 2 % of a study at most. The leaderboard, which
# costs nothing, is there with the first trial.
_TIMES, _MIN_SECONDS, _FIRST_AFTER_SECONDS = 50.0, 5.0, 10.0


class Live:
    """Of the main worker: leaves all anew in the lake when it is time to."""

    def __init__(
        self,
        archive: Archive,
        study: Study,
        goals: Sequence[Goal],
        *,
        title: str,
        description: str,
        settings: Mapping[str, str],
        scratch_path: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive, self._study, self._goals = archive, study, goals
        self._title, self._description, self._settings = title, description, settings
        self._path, self._clock = scratch_path / "live", clock
        self._board_at, self._pictures_at = clock(), clock() + _FIRST_AFTER_SECONDS

    def update(self) -> None:
        """A trial has ended."""
        began = self._clock()
        ranked = rank(self._study.get_trials(deepcopy=False), self._goals)
        if began < self._board_at or not ranked:
            return
        leaderboard = build_leaderboard(ranked, self._goals, chosen=None)
        self._archive.put_live(LEADERBOARD, leaderboard.model_dump_json(indent=1).encode())
        self._board_at = self._clock() + _MIN_SECONDS
        if began >= self._pictures_at:
            self._draw(leaderboard)
            self._pictures_at = self._clock() + max(_TIMES * (self._clock() - began), _MIN_SECONDS)

    def _draw(self, leaderboard: Leaderboard) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        write_pictures(
            self._path,
            self._study,
            self._goals,
            title=self._title,
            description=self._description,
            settings=self._settings,
            leaderboard=leaderboard,
        )
        for file in sorted(self._path.rglob("*")):
            if file.is_file():
                self._archive.put_live(file.relative_to(self._path).as_posix(), file.read_bytes())
