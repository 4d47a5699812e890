"""Deletes each hour what has outlived its retention: files of jobs, captures, answers, archives, audit entries."""

import logging
from datetime import UTC, datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.jobs import Job
from aimass_core.domain.settings.contract import SettingsRecord
from aimass_core.domain.settings.retention import RetentionSettings
from aimass_core.errors import AimassError
from aimass_core.ports import Ports, Put, Row, WriteConflictError
from aimass_core.services import audit_seals, records, settings, workspaces

_MINUTE = 17
_MARK = "retention_mark"
_MAX_WORKSPACES, _MAX_JOBS = 1_000, 500
_DATE = "date="
_log = logging.getLogger(__name__)


def run_hourly(ports: Ports) -> int:
    """In one minute of each hour. Returns how many objects and rows were deleted. For the reconciler."""
    return run(ports) if ports.clock().minute == _MINUTE else 0


def run(ports: Ports) -> int:
    """Of every workspace that has set something. A run that was cut short goes on with the next one."""
    partition = keys.status_partition(SettingsRecord.resource, settings.RETAINED)
    num_deleted = 0
    for row in ports.registry.query_status(partition, limit=_MAX_WORKSPACES):
        workspace_id = str(row.data["workspace_id"])
        try:
            num_deleted += _sweep(ports, workspace_id, ports.live_settings.get(RetentionSettings, workspace_id))
        except (AimassError, WriteConflictError):
            # NOTE: one workspace keeps no other one from it.
            _log.exception("retention cannot sweep a workspace", extra={"workspace_id": workspace_id})
    for workspace_id in workspaces.list_ids(ports):
        num_deleted += _sweep_archives(ports, workspace_id)
    return num_deleted


def _sweep_archives(ports: Ports, workspace_id: str) -> int:
    """Also where nobody has set anything: S3 has no rule for them, as their keys begin like those of sources."""
    days = ports.live_settings.get(RetentionSettings, workspace_id).archives_days
    before = ports.clock() - timedelta(days=days)
    blobs = list(ports.lake.list(keys.archives_prefix(workspace_id)))
    return sum(_delete(ports, blob.key) for blob in blobs if blob.modified_at < before)


def _sweep(ports: Ports, workspace_id: str, retention: RetentionSettings) -> int:
    now = ports.clock()
    num_deleted = 0
    if retention.job_artifacts_days is not None:
        num_deleted += _sweep_jobs(ports, workspace_id, now - timedelta(days=retention.job_artifacts_days))
    oldest_day = (now - timedelta(days=retention.captures_days)).astimezone(UTC).date().isoformat()
    for blob in list(ports.lake.list(f"{keys.CAPTURES_PREFIX}{workspace_id}/")):
        day = blob.key.partition(_DATE)[2][: len(oldest_day)]
        num_deleted += _delete(ports, blob.key) if day < oldest_day else 0
    oldest_answer = now - timedelta(hours=retention.answers_hours)
    for blob in list(ports.lake.list(f"{keys.PREDICTIONS_PREFIX}{workspace_id}/")):
        num_deleted += _delete(ports, blob.key) if blob.modified_at < oldest_answer else 0
    oldest = None if retention.audit_days is None else now - timedelta(days=retention.audit_days)
    num_deleted += audit_seals.trim(ports, workspace_id, before=oldest)
    if num_deleted:
        _log.info("retention", extra={"workspace_id": workspace_id, "num_deleted": num_deleted})
    return num_deleted


def _sweep_jobs(ports: Ports, workspace_id: str, before: datetime) -> int:
    """Files of jobs in the order in which they were made. The mark stands before the first that has to be kept yet."""
    mark = ports.registry.get(keys.row(workspace_id, _MARK, Job.resource))
    start = None if mark is None else str(mark.data["after"])
    num_deleted, after, is_contiguous = 0, start, True
    found, _ = records.list_page(ports, Job, workspace_id, limit=_MAX_JOBS, start=start, newest_first=False)
    for job in found:
        if job.created_at >= before:
            break
        if job.ended_at is not None and job.ended_at < before:
            for blob in list(ports.lake.list(keys.job_prefix(workspace_id, job.id))):
                num_deleted += _delete(ports, blob.key)
            after = keys.row(workspace_id, Job.resource, job.id).sort if is_contiguous else after
        else:
            is_contiguous = False
    if after is not None and after != start:
        revision = 0 if mark is None else mark.revision
        row = Row(key=keys.row(workspace_id, _MARK, Job.resource), data={"after": after}, revision=revision + 1)
        ports.registry.write(Put(row=row, expected=revision or None))
    return num_deleted


def _delete(ports: Ports, key: str) -> int:
    ports.lake.delete(key)
    return 1
