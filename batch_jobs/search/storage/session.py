"""What one process does with the studies: its views of them, and what it has set on its trials but not yet sent."""

import logging
import threading
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from aimass_core.errors import AimassError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.drafts import Draft
from batch_jobs.search.storage.expressions import AttributeValue
from batch_jobs.search.storage.reports import thin
from batch_jobs.search.storage.studies import Studies
from batch_jobs.search.storage.table import StudiesTable
from batch_jobs.search.storage.trials import TrialWriter
from batch_jobs.search.storage.views import StudyView

_log = logging.getLogger(__name__)


class Session:
    """The caller holds `lock` around everything but `flush` and `view`."""

    def __init__(
        self,
        table: StudiesTable,
        studies: Studies,
        writer: TrialWriter,
        *,
        workspace_id: str,
        read_ttl_seconds: float,
        write_delay_seconds: float,
        max_reports: int,
    ) -> None:
        self.lock = threading.RLock()
        self._table, self._studies, self._writer = table, studies, writer
        self._workspace_id, self._ttl_seconds = workspace_id, read_ttl_seconds
        self._write_delay_seconds, self._max_reports = write_delay_seconds, max_reports
        self._views: dict[int, StudyView] = {}
        self._timer: threading.Timer | None = None

    def view(self, study_id: int) -> StudyView:
        """Of a study, as it was read last.

        Raises:
            KeyError: there is no such study.
        """
        with self.lock:
            if study_id not in self._views:
                self._views[study_id] = StudyView(
                    self._table, workspace_id=self._workspace_id, study_id=study_id, ttl_seconds=self._ttl_seconds
                )
            return self._views[study_id]

    def refreshed_view(self, study_id: int) -> StudyView:
        """Of a study, no older than it may be.

        Raises:
            KeyError: there is no such study.
        """
        is_known = study_id in self._views
        view = self.view(study_id)
        if is_known:
            try:
                view.refresh()
            except KeyError:
                self.forget(study_id)
                raise
        return view

    def forget(self, study_id: int) -> None:
        """The study was deleted."""
        self._views.pop(study_id, None)

    def locate(self, trial_id: int) -> tuple[StudyView, int]:
        """The study and the number of a trial.

        Raises:
            KeyError: there is no such study.
        """
        study_id, number = divmod(trial_id, items.MAX_TRIALS)
        return self.view(study_id), number

    def trial(self, trial_id: int) -> FrozenTrial:
        """A trial as it is now; one that runs here, or was read a moment ago, as it is known.

        Raises:
            KeyError: there is no such trial.
        """
        view, number = self.locate(trial_id)
        known = view.trials.get(number)
        if known is not None and (known.state.is_finished() or number in view.drafts or view.is_fresh):
            return known
        item = self._table.get(view.key(number))
        if item is None:
            raise KeyError(f"There is no trial {number} in the study {view.row.name!r}.")
        return view.adopt(item)

    def updatable_trial(self, trial_id: int) -> FrozenTrial:
        """A trial that has not finished.

        Raises:
            KeyError: there is no such trial.
            UpdateFinishedTrialError: it has finished.
        """
        trial = self.trial(trial_id)
        if trial.state.is_finished():
            raise UpdateFinishedTrialError(f"Trial {trial.number} has already finished and can not be updated.")
        return trial

    def set_param(self, trial_id: int, name: str, internal: float, distribution: BaseDistribution) -> None:
        """Sets a hyperparameter. Raises as `updatable_trial`, and ValueError for another kind of distribution."""
        trial = self.updatable_trial(trial_id)
        view, number = self.locate(trial_id)
        view.row = self._studies.check_distribution(view.row, name, distribution)
        position = list(trial.params).index(name) if name in trial.params else len(trial.params)
        self._set(view, number, items.PARAMS, name, items.to_param(position, internal, distribution))
        if number in view.drafts:
            params = {**trial.params, name: distribution.to_external_repr(internal)}
            view.change(number, params=params, distributions={**trial.distributions, name: distribution})

    def set_attribute(self, trial_id: int, section: str, key: str, value: Any) -> None:
        """Sets one of the user's or of Optuna's attributes. Raises as `updatable_trial`."""
        trial = self.updatable_trial(trial_id)
        view, number = self.locate(trial_id)
        stored = items.to_json(value)
        self._set(view, number, section, key, stored)
        if number in view.drafts:
            view.change(number, **{section: {**getattr(trial, section), key: items.from_json(stored)}})

    def report(self, trial_id: int, step: int, value: float) -> None:
        """Sets an intermediate value, and keeps fewer where there would be too many. Raises as `updatable_trial`."""
        trial = self.updatable_trial(trial_id)
        view, number = self.locate(trial_id)
        values = {**trial.intermediate_values, step: float(value)}
        draft = view.drafts.get(number)
        if draft is not None and len(values) > self._max_reports:
            values = thin(values, limit=self._max_reports)
            draft.replace(items.REPORTS, {str(step): items.to_report(value) for step, value in values.items()})
            self._send(view, draft)
        else:
            self._set(view, number, items.REPORTS, str(step), items.to_report(value))
        if draft is not None:
            view.change(number, intermediate_values=values)

    def flush(self) -> None:
        """Sends what is not sent yet. What cannot be sent now goes with the trial's next write."""
        with self.lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            for view in self._views.values():
                for draft in [draft for draft in view.drafts.values() if draft]:
                    try:
                        self._writer.send(view, draft)
                    except (AimassError, KeyError, UpdateFinishedTrialError) as error:
                        _log.warning("trial %d of study %r was not written: %s", draft.number, view.row.name, error)

    def _set(self, view: StudyView, number: int, section: str, key: str, value: AttributeValue) -> None:
        draft = view.drafts.get(number)
        if draft is None:
            self._writer.set_entry(view, number, section, key, value)
            return
        draft.set(section, key, value)
        self._send(view, draft)

    def _send(self, view: StudyView, draft: Draft) -> None:
        if not self._write_delay_seconds:
            self._writer.send(view, draft)
        elif self._timer is None:
            # NOTE: no daemon, so that a process that ends right after it asked still sends.
            self._timer = threading.Timer(self._write_delay_seconds, self.flush)
            self._timer.start()
