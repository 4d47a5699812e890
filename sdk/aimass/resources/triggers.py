"""Triggers: jobs that new versions of a dataset, or the time, set going."""

from typing import Any

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.triggers import Trigger, TriggerCreate, TriggerRun, TriggerStatus, TriggerUpdate

_PATH = "/v1/triggers"


class TriggersApi(Api):
    """`client.triggers`."""

    def create(self, name: str, *, dataset: str, job: Any, **options: Any) -> Trigger:
        """A trigger that fires from the dataset's next version on.

        Args:
            name: Of the trigger.
            dataset: Its name.
            job: A body of POST /v1/jobs: `{"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}`.
            **options: `every_seconds`, `needs_passed`, `deploy` (`{"endpoint": ..., "gate": {"worst": 0.9},
                "rollout": {"percent": 10, "every_seconds": 600}}`),
                `description`.

        Raises InvalidRequestError, NotFoundError, AlreadyExistsError.
        """
        return self._post(Trigger, _PATH, to_request(TriggerCreate, name=name, dataset=dataset, job=job, **options))

    def list(self) -> Pages[Trigger]:
        """All of the workspace, newest first."""
        return self._list(Trigger, _PATH)

    def get(self, trigger: str) -> Trigger:
        """By name or id."""
        return self._get(Trigger, f"{_PATH}/{trigger}")

    def update(self, trigger: Trigger, **changes: Any) -> Trigger:
        """Changes what it does from its next run on. Raises StaleRevisionError where somebody else was faster."""
        body = to_request(TriggerUpdate, **changes)
        return self._patch(Trigger, f"{_PATH}/{trigger.id}", body, revision=trigger.revision)

    def pause(self, trigger: str) -> Trigger:
        """It does not fire until it is resumed; a run that has begun goes on."""
        return self.update(self.get(trigger), status=TriggerStatus.PAUSED)

    def resume(self, trigger: str) -> Trigger:
        """It fires again: soon, where there is a version that it has not fired for."""
        return self.update(self.get(trigger), status=TriggerStatus.ACTIVE)

    def delete(self, trigger: str) -> None:
        """With its runs."""
        self._delete(f"{_PATH}/{trigger}")

    def runs(self, trigger: str) -> Pages[TriggerRun]:
        """Newest first."""
        return self._list(TriggerRun, f"{_PATH}/{trigger}/runs")
