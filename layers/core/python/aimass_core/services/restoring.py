"""Makes things that existed before, elsewhere, under the ids that they had: for imports of a workspace.

Each is one transaction with its audit entry, and is made only where it is not there: whoever was interrupted begins
again. What would act by itself, sources and triggers, is paused; an endpoint has to give its golden answer first.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Resource
from aimass_core.domain.datasets import Dataset, DatasetVersion
from aimass_core.domain.endpoints import Endpoint, EndpointStatus, ServedModel
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.domain.notification_channels import NotificationRule
from aimass_core.domain.sources import SourceRecord, SourceState
from aimass_core.domain.studies import Study
from aimass_core.domain.triggers import Trigger, TriggerStatus
from aimass_core.errors import StaleRevisionError, UnavailableError
from aimass_core.ports import Ports, Put, Row, Write
from aimass_core.services import (
    endpoint_records,
    hosting,
    models,
    records,
    retention,
    source_health,
    source_states,
    tables,
)

_MAX_WRITES = 12

ResourceT = TypeVar("ResourceT", bound=Resource)


def restore_source(
    ports: Ports, principal: Principal, record: SourceRecord, *, datasets: Mapping[str, str], state: SourceState | None
) -> SourceRecord:
    """A source without secrets, paused. Raises AlreadyExistsError where its name is taken."""
    restored = _settled(ports, principal, record, secrets=[])
    writes: list[Write] = [
        source_health.new_write(ports, restored, paused="Imported. Set its secrets, then resume it."),
        *retention.plan_writes(ports, restored),
    ]
    for stream, dataset_id in datasets.items():
        ports.registry.write(_dataset_write(restored, stream, dataset_id))
    if state is not None:
        writes.append(source_states.write(restored, state, expected=0))
    return records.create(ports, principal, restored, name=restored.name, also=writes)


def restore_dataset(ports: Ports, principal: Principal, dataset: Dataset) -> Dataset:
    """A dataset without versions; no number that it gave is given again."""
    restored = _settled(ports, principal, dataset, latest_version=None)
    return records.create(ports, principal, restored, name=restored.name)


def restore_dataset_version(ports: Ports, principal: Principal, version: DatasetVersion) -> DatasetVersion:
    """A version whose files are in place."""
    restored = _settled(ports, principal, version, job_id=None, window_closes_at=None, imported_at=ports.clock())
    also = [
        Put(row=records.to_row(restored, version.dataset_id, version.number)),
        records.audit(ports, principal, "dataset_version.create", restored),
        tables.announce(ports, restored),
    ]
    for _ in range(_MAX_WRITES):
        dataset = records.get(ports, Dataset, principal.workspace_id, version.dataset_id)
        latest, last = max(dataset.latest_version or 0, version.number), max(dataset.last_number, version.number)
        try:
            records.save(ports, dataset, also=also, latest_version=latest, last_number=last)
        except StaleRevisionError:
            continue
        return restored
    raise UnavailableError(f"The dataset {version.dataset_name!r} changes too quickly. Import again.")


def restore_job(ports: Ports, principal: Principal, job: Job) -> Job:
    """What a job was, for the models that it made: it ran elsewhere."""
    restored = _settled(
        ports,
        principal,
        job,
        imported_at=ports.clock(),
        compute_job_id=None,
        log_stream=None,
        trigger_id=None,
        depends_on=[],
    )
    return records.create(ports, principal, restored)


def restore_study(ports: Ports, principal: Principal, study: Study) -> Study:
    """A study whose trials are in place."""
    restored = _settled(ports, principal, study, is_being_deleted=False)
    return records.create(ports, principal, restored, name=restored.name)


def restore_model(ports: Ports, principal: Principal, model: Model) -> Model:
    """A model without versions; no number that it gave is given again."""
    restored = _settled(ports, principal, model, latest_version=None)
    return records.create(ports, principal, restored, name=restored.name)


def restore_model_version(ports: Ports, principal: Principal, version: ModelVersion) -> ModelVersion:
    """A version whose artifacts are in place. A fusion that is served with its members apart needs these first."""
    restored = _settled(
        ports, principal, version, endpoints=[], fusions=[], last_job_id=None, imported_at=ports.clock()
    )
    models.commit_version(ports, principal, restored)
    return restored


def restore_endpoint(ports: Ports, principal: Principal, endpoint: Endpoint, served: ServedModel) -> Endpoint:
    """An endpoint that has to verify what it served; where that needs containers, they are new ones."""
    workspace_id = principal.workspace_id
    candidate = hosting.place(ports, workspace_id, endpoint.id, served, served.engine)
    restored = _settled(
        ports,
        principal,
        endpoint,
        status=EndpointStatus.CREATING,
        status_reason=None,
        serving=None,
        candidate=candidate,
        plan=None,
        rollout=None,
        previous=None,
    )
    held = endpoint_records.held(restored)
    holds = models.hold_writes(ports, workspace_id, restored.id, before=(), after=held)
    event = endpoint_records.to_event(ports, principal, restored, action="created", model=candidate)
    return records.create(ports, principal, restored, name=restored.name, also=[event, *holds])


def restore_trigger(ports: Ports, principal: Principal, trigger: Trigger) -> Trigger:
    """A trigger that is paused, and has not fired here."""
    restored = _settled(
        ports,
        principal,
        trigger,
        status=TriggerStatus.PAUSED,
        status_reason=f"Imported. Resume it with: aimass triggers resume {trigger.name}",
        last_fired_at=None,
        num_runs=0,
        active_run=None,
    )
    return records.create(ports, principal, restored, name=restored.name)


def restore_rule(ports: Ports, principal: Principal, rule: NotificationRule) -> NotificationRule:
    """It holds once there are channels of the names that it tells."""
    restored = _settled(ports, principal, rule)
    return records.create(ports, principal, restored, name=restored.name)


def has(ports: Ports, cls: type[Resource], workspace_id: str, *ids: str | int) -> bool:
    """Whether it is there already."""
    return ports.registry.get(keys.row(workspace_id, cls.resource, *ids)) is not None


def find_holder(ports: Ports, cls: type[Resource], workspace_id: str, name: str) -> str | None:
    """The id of what has the name."""
    reserved = ports.registry.get(keys.name_row(workspace_id, cls.resource, name))
    return None if reserved is None else str(reserved.data["id"])


def _settled(ports: Ports, principal: Principal, resource: ResourceT, **changes: Any) -> ResourceT:
    """In this workspace, at its first revision. When it was made, and by whom, stays."""
    own = {"workspace_id": principal.workspace_id, "updated_at": ports.clock(), "revision": 1}
    return type(resource).model_validate(resource.model_copy(update={**own, **changes}).model_dump())


def _dataset_write(record: SourceRecord, stream: str, dataset_id: str) -> Put:
    key = keys.source_dataset_row(record.workspace_id, record.id, stream)
    return Put(row=Row(key=key, data={"stream": stream, "dataset_id": dataset_id}, revision=1))
