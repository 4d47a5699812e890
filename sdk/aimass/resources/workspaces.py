"""Workspaces: what they are called, what leaves them and comes into them, and their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aimass import uploading
from aimass.binding import Api, Pages, to_request
from aimass_core.domain.transfers import (
    ExportCreate,
    ExportReport,
    ImportCreate,
    OnConflict,
    WorkspaceExport,
    WorkspaceImport,
)
from aimass_core.domain.workspaces import Workspace, WorkspaceDeletion, WorkspaceDeletionCreate
from aimass_core.errors import ConflictError

if TYPE_CHECKING:
    from aimass.resources.jobs import Job

_PATH = "/v1/workspaces"


class WorkspacesApi(Api):
    """`client.workspaces`. Where no workspace is named, it is the key's own."""

    def list(self) -> Pages[Workspace]:
        """Those that the key belongs to."""
        return self._list(Workspace, _PATH)

    def get(self, workspace_id: str | None = None) -> Workspace:
        """One workspace."""
        return self._get(Workspace, self._path(workspace_id))

    def export(self, *, with_data: bool = False) -> Job:
        """Starts the job that writes all of it as one zip: see `save_export`.

        Args:
            with_data: With the rows of its datasets; else with their names, policies and expectations.
        """
        from aimass.resources.jobs import Job

        return self._post(Job, f"{self._path()}/exports", to_request(ExportCreate, with_data=with_data))

    def exports(self) -> Pages[WorkspaceExport]:
        """Newest first, without their reports."""
        return self._list(WorkspaceExport, f"{self._path()}/exports")

    def get_export(self, job: Job | str) -> WorkspaceExport:
        """How far it is; in the end with its report and a link to the zip."""
        return self._get(WorkspaceExport, f"{self._path()}/exports/{_id(job)}")

    def save_export(self, job: Job | str, path: str | Path) -> ExportReport:
        """Saves the zip of an export that has SUCCEEDED; says what is in it, and what is not.

        Raises:
            ConflictError: It has not.
        """
        found = self.get_export(job)
        if found.report is None or found.url is None:
            why = "its zip has expired. Export again" if found.report else "there is no zip"
            raise ConflictError(f"The export {found.job_id} is {found.status}: {why}.")
        self._client.http.download(found.url, Path(path), sha256=found.report.sha256, name="the archive")
        return found.report

    def import_archive(
        self, path: str | Path, *, dry_run: bool = False, on_conflict: OnConflict | str = OnConflict.FAIL
    ) -> Job:
        """Sends the zip of an export, and starts the job that makes what is not there yet: see `get_import`.

        Args:
            path: What `save_export` saved, of this or another installation.
            dry_run: Say what would be done, and do nothing.
            on_conflict: What becomes of a thing whose name another one has: `fail`, `skip` or `rename`.
        """
        from aimass.resources.jobs import Job

        sha256 = uploading.send_archive(self._client, self._own(), Path(path))
        request = to_request(ImportCreate, archive=sha256, dry_run=dry_run, on_conflict=on_conflict)
        return self._post(Job, f"{self._path()}/imports", request)

    def imports(self) -> Pages[WorkspaceImport]:
        """Newest first, without their reports."""
        return self._list(WorkspaceImport, f"{self._path()}/imports")

    def get_import(self, job: Job | str) -> WorkspaceImport:
        """How far it is; in the end with what it made, what it left, and what remains to be done."""
        return self._get(WorkspaceImport, f"{self._path()}/imports/{_id(job)}")

    def delete(self, *, confirm: str, grace_hours: int = 72) -> WorkspaceDeletion:
        """Deletes the workspace with everything in it once the grace is over; until then `keep` takes that back.

        Args:
            confirm: Its name.
            grace_hours: So long it stays as it is.
        """
        request = to_request(WorkspaceDeletionCreate, confirm=confirm, grace_hours=grace_hours)
        return self._post(WorkspaceDeletion, f"{self._path()}/deletion", request)

    def get_deletion(self) -> WorkspaceDeletion:
        """How far it is. The key that asked for it reads the proof for a day after it."""
        return self._get(WorkspaceDeletion, f"{self._path()}/deletion")

    def keep(self) -> None:
        """Takes the deletion back. Raises ConflictError once it has begun."""
        self._delete(f"{self._path()}/deletion")

    def _path(self, workspace_id: str | None = None) -> str:
        return f"{_PATH}/{workspace_id or self._own()}"

    def _own(self) -> str:
        return self._client.system.whoami().workspace_id


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else job.id
