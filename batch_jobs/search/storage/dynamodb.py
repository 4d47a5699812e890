"""An Optuna storage on DynamoDB: one item per trial, no server, no journal, no pickle."""

import copy
import logging
from collections.abc import Callable, Container, Sequence
from typing import Any

import boto3
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.common import Clock, utc_now
from aimass_core.errors import InvalidRequestError, UnavailableError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.leases import reap
from batch_jobs.search.storage.session import Session
from batch_jobs.search.storage.studies import Studies
from batch_jobs.search.storage.table import StudiesTable
from batch_jobs.search.storage.trials import TrialWriter

_LEASE_HEARTBEATS = 3
_log = logging.getLogger(__name__)


class DynamoDbStorage(BaseStorage, BaseHeartbeat):
    """Satisfies Optuna's BaseStorage and BaseHeartbeat; their docstrings say what each method does and raises.

    What is set on a trial that this process runs is kept for `write_delay_seconds`, and written with the trial's state
    at the latest, so that one ask is one request. With heartbeats a running trial is leased to its worker; once that is
    silent for too long, whoever asks for a trial next fails it and queues its hyperparameters again.

    Args:
        client: of boto3 for DynamoDB. (A pickled storage makes a new one for the same region and endpoint.)
        table: its name; it has the string keys `pk` and `sk`.
        workspace_id: whose studies: every partition key begins with it.
        read_ttl_seconds: how old may be what is known of other workers' trials.
        write_delay_seconds: how long others may not see what is set on a running trial.
        heartbeat_interval_seconds: None: trials have no leases.
        lease_seconds: how long a worker may be silent; three heartbeats if None.
        max_retries: how often the hyperparameters of a lost trial are queued again.
        max_intermediate_values: kept of one trial; of more every second step, then every fourth.
        max_trials: of a study; asking for one more raises StudyFullError. A lost trial that is tried again is one.
        clock: of times and leases. Workers' clocks may differ by less than a lease.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        workspace_id: str = "default",
        read_ttl_seconds: float = 0.0,
        write_delay_seconds: float = 0.05,
        heartbeat_interval_seconds: int | None = None,
        lease_seconds: float | None = None,
        max_retries: int = 1,
        max_intermediate_values: int = 1_000,
        max_trials: int | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._options = {name: value for name, value in locals().items() if name not in ("self", "client", "__class__")}
        if not workspace_id or "#" in workspace_id:
            raise InvalidRequestError(f"The workspace is {workspace_id!r}. Take a name without '#'.")
        self._heartbeat_interval_seconds, self._max_retries, self._clock = (
            heartbeat_interval_seconds,
            max_retries,
            clock,
        )
        if heartbeat_interval_seconds is None:
            lease_seconds = None
        elif lease_seconds is None:
            lease_seconds = _LEASE_HEARTBEATS * heartbeat_interval_seconds
        self._table = StudiesTable(client, name=table)
        self._studies = Studies(self._table, workspace_id=workspace_id)
        self._writer = TrialWriter(self._table, lease_seconds=lease_seconds, max_trials=max_trials, clock=clock)
        self._session = Session(
            self._table,
            self._studies,
            self._writer,
            workspace_id=workspace_id,
            read_ttl_seconds=read_ttl_seconds,
            write_delay_seconds=write_delay_seconds,
            max_reports=max_intermediate_values,
        )

    def __getstate__(self) -> dict[str, Any]:
        self._session.flush()
        meta = self._table.client.meta
        return {"region_name": meta.region_name, "endpoint_url": meta.endpoint_url, "options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        options = state.pop("options")
        type(self).__init__(self, boto3.client("dynamodb", **state), **options)

    # --- studies -----------------------------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """See BaseStorage."""
        return self._studies.create(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """See BaseStorage. An interrupted deletion can be repeated."""
        with self._session.lock:
            self._studies.delete(self._session.refreshed_view(study_id).row)
            self._session.forget(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """See BaseStorage."""
        self._set_study_attribute(study_id, items.USER_ATTRS, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """See BaseStorage."""
        self._set_study_attribute(study_id, items.SYSTEM_ATTRS, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """See BaseStorage."""
        return self._studies.find(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """See BaseStorage."""
        return self._session.view(study_id).row.name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """See BaseStorage."""
        return self._session.view(study_id).row.directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """See BaseStorage."""
        with self._session.lock:
            return self._session.refreshed_view(study_id).row.user_attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """See BaseStorage."""
        with self._session.lock:
            return self._session.refreshed_view(study_id).row.system_attrs

    def get_all_studies(self) -> list[FrozenStudy]:
        """See BaseStorage."""
        return [
            FrozenStudy(
                study_name=row.name,
                direction=None,
                directions=row.directions,
                user_attrs=row.user_attrs,
                system_attrs=row.system_attrs,
                study_id=row.study_id,
            )
            for row in self._studies.list_all()
        ]

    # --- trials ------------------------------------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """See BaseStorage. Numbers have no gaps."""
        with self._session.lock:
            view = self._session.view(study_id)
            for name, distribution in () if template_trial is None else template_trial.distributions.items():
                view.row = self._studies.check_distribution(view.row, name, distribution)
            return items.to_trial_id(study_id, self._writer.create(view, template_trial))

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """See BaseStorage."""
        with self._session.lock:
            self._session.set_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """See BaseStorage. Of several workers that finish a trial, or begin it, the first one does."""
        with self._session.lock:
            view, number = self._session.locate(trial_id)
            return self._writer.change_state(view, number, state, values)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """See BaseStorage."""
        with self._session.lock:
            self._session.report(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """See BaseStorage."""
        with self._session.lock:
            self._session.set_attribute(trial_id, items.USER_ATTRS, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """See BaseStorage."""
        with self._session.lock:
            self._session.set_attribute(trial_id, items.SYSTEM_ATTRS, key, value)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """See BaseStorage."""
        with self._session.lock:
            return self._session.trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """See BaseStorage."""
        with self._session.lock:
            known = self._session.refreshed_view(study_id).trials
            trials = [known[number] for number in sorted(known)]
        found = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def remove_session(self) -> None:
        """See BaseStorage. Sends what is not sent yet."""
        self._session.flush()

    # --- leases ------------------------------------------------------------------------------------------------------

    def record_heartbeat(self, trial_id: int) -> None:
        """See BaseHeartbeat. A heartbeat that fails is missed; the next one may not be."""
        view, number = self._session.locate(trial_id)
        try:
            is_running = self._writer.renew_lease(view, number)
        except UnavailableError as error:
            _log.warning("trial %d of study %r: no heartbeat: %s", number, view.row.name, error)
            return
        if not is_running:
            _log.info("trial %d of study %r has finished, or was taken from this worker", number, view.row.name)

    def get_heartbeat_interval(self) -> int | None:
        """See BaseHeartbeat."""
        return self._heartbeat_interval_seconds

    def reap(self, study_id: int) -> list[int]:
        """Fails the trials whose workers are gone, queues their hyperparameters again, and returns their numbers."""
        if self._heartbeat_interval_seconds is None:
            return []
        with self._session.lock:
            view = self._session.refreshed_view(study_id)
            return reap(self._table, view, now=self._clock(), max_retries=self._max_retries)

    def refresh(self, study_id: int) -> None:
        """Reads what others have written until now, however young is what is known."""
        with self._session.lock:
            self._session.view(study_id).refresh(now=True)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        # Optuna would fail each and then, in a step of its own, queue it again, which a crash between them would lose.
        self.reap(study_id)
        return []

    def get_heartbeat_stale_trial_callback(self) -> Callable[[Study, FrozenTrial], None] | None:
        """See BaseHeartbeat. Lost trials are queued again without one."""
        return None

    def _set_study_attribute(self, study_id: int, section: str, key: str, value: Any) -> None:
        with self._session.lock:
            view = self._session.view(study_id)
            view.row = self._studies.set_attribute(study_id, section, key, value)
