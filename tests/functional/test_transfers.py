"""/v1/workspaces/{workspace}/exports, /archives, /imports and /deletion, with the SDK."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import aimass
from aimass import uploading
from aimass_core.domain import keys
from aimass_core.domain.common import Role
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec, TransferAction
from aimass_core.errors import ConflictError, InvalidRequestError
from aimass_core.services import dispatch, records
from batch_jobs.runtime.environment import Environment
from batch_jobs.transfer.exporting import export
from batch_jobs.transfer.importing import import_workspace
from batch_jobs.transfer.place import Place
from tests.factories.platform import add_dataset, tell
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.functional.transport import InProcessTransport
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.batch_jobs.transfer.office import MemoryTrials
from tests.unit.core.services.ingest.scene import Scene


class Mover:
    """The SDK of an admin, and the containers of the jobs that it asks for."""

    def __init__(self, api: Api, transport: InProcessTransport, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.client = aimass.Client(base_url="http://aimass.test", api_key=str(api.token), transport=transport)
        self.own = self.client.system.whoami().workspace_id

    def work(self, asked: Any) -> Job:
        """Stream, submission, container, events."""
        ports = self.api.ports
        job = dispatch.dispatch(ports, self.own, asked.id)
        place = Place(ports=ports, trials=MemoryTrials(), workspace_id=self.own)
        environment = build_environment(self.folder / job.id, {}, job.spec, job=job.id)
        environment.base_path.mkdir(parents=True)
        try:
            self._run(place, job, environment)
        except InvalidRequestError as error:
            self._leave(job, environment, "failure.json", {"code": error.code, "cause": error.message})
            return tell(ports, job, JobStatus.FAILED, exit_code=64)
        self._leave(job, environment, "result.json", {"job_id": job.id, "attempt": 1, "artifacts": []})
        return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)

    def _run(self, place: Place, job: Job, environment: Environment) -> None:
        if isinstance(job.spec, ExportSpec):
            export(place, job.spec, environment, RecordingReporter())
        elif isinstance(job.spec, ImportWorkspaceSpec):
            import_workspace(place, job.spec, environment, RecordingReporter())

    def _leave(self, job: Job, environment: Environment, name: str, body: dict[str, Any]) -> None:
        lake = self.api.ports.lake
        for path in environment.output_path.glob("*"):
            lake.put(keys.job_attempt(self.own, job.id, 1, f"output/{path.name}"), path.read_bytes())
        lake.put(keys.job_attempt(self.own, job.id, 1, name), json.dumps(body).encode())


@pytest.fixture
def open_mover(transport: InProcessTransport, tmp_path: Path) -> Callable[[Api], Mover]:
    return lambda api: Mover(api, transport, tmp_path)


def test_a_workspace_leaves_as_a_zip_and_comes_in_elsewhere(
    api: Api, open_mover: Callable[[Api], Mover], tmp_path: Path
) -> None:
    here = open_mover(api)
    add_dataset(api.ports, owner_of(api), name="adult")
    asked = here.client.workspaces.export()
    assert here.client.workspaces.get_export(asked).url is None
    with pytest.raises(ConflictError, match="SUBMITTED: there is no zip"):
        here.client.workspaces.save_export(asked, tmp_path / "team.zip")
    here.work(asked)
    report = here.client.workspaces.save_export(asked, tmp_path / "team.zip")
    assert report.counts["dataset"] == 1
    assert hashlib.sha256((tmp_path / "team.zip").read_bytes()).hexdigest() == report.sha256
    [listed] = here.client.workspaces.exports()
    assert (listed.job_id, listed.report, listed.url) == (asked.id, None, None)

    there = open_mover(api.as_stranger())
    coming = there.client.workspaces.import_archive(tmp_path / "team.zip", dry_run=True)
    there.work(coming)
    planned = there.client.workspaces.get_import(coming)
    assert planned.report is not None
    [item] = planned.report.items
    assert (item.resource, item.name, item.action) == ("dataset", "adult", "create")
    assert list(there.client.datasets.list()) == []
    there.work(there.client.workspaces.import_archive(tmp_path / "team.zip"))
    assert [dataset.name for dataset in there.client.datasets.list()] == ["adult"]
    assert len(list(there.client.workspaces.imports())) == 2


def test_a_zip_is_for_admins_alone_and_no_artifact_of_its_job(api: Api, open_mover: Callable[[Api], Mover]) -> None:
    mover = open_mover(api)
    asked = mover.client.workspaces.export()
    mover.work(asked)
    address = f"/v1/workspaces/{mover.own}/exports/{asked.id}"
    assert api.as_role(Role.DEVELOPER).get(address).status == 403
    assert api.get(address).json["url"]
    artifacts = api.as_role(Role.VIEWER).get(f"/v1/jobs/{asked.id}/artifacts").json["artifacts"]
    assert not [each for each in artifacts if "zip" in each["name"]]


def test_a_large_archive_goes_in_parts_and_goes_on_where_it_stopped(
    api: Api, open_mover: Callable[[Api], Mover], tmp_path: Path
) -> None:
    mover, path = open_mover(api), tmp_path / "large.zip"
    path.write_bytes(bytes(range(256)) * (12 * 4096))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    asked = {"sha256": sha256, "num_bytes": path.stat().st_size, "part_bytes": 5 * 1024**2}
    address = f"/v1/workspaces/{mover.own}/archives"
    begun = api.post(address, asked).json
    assert [part["num_bytes"] for part in begun["parts"]] == [5 * 1024**2, 5 * 1024**2, 2 * 1024**2]
    second = begun["parts"][1]["request"]
    assert mover.client.http.send_signed(
        second["method"],
        second["url"],
        content=lambda: iter([path.read_bytes()[5 * 1024**2 : 10 * 1024**2]]),
        headers=second["headers"],
    ).is_success
    missing = [part["number"] for part in api.post(address, asked).json["parts"] if part["etag"] is None]
    assert missing == [1, 3], "it goes on"
    sent: list[int] = []
    found = uploading.send_archive(
        mover.client, mover.own, path, part_bytes=5 * 1024**2, on_bytes=lambda done, _: sent.append(done)
    )
    assert (found, sent[0], sent[-1]) == (sha256, 5 * 1024**2, 12 * 1024**2)
    assert api.ports.lake.get(keys.workspace_archive(mover.own, sha256)) == path.read_bytes()
    again = api.post(address, asked).json
    assert (again["request"], again["parts"]) == (None, [])


def test_parts_that_make_up_something_else_are_thrown_away(
    api: Api, open_mover: Callable[[Api], Mover], tmp_path: Path
) -> None:
    mover = open_mover(api)
    api.ports.lake.put(keys.workspace_archive(mover.own, "0" * 64), b"something else")
    asked = api.post(f"/v1/workspaces/{mover.own}/imports", {"archive": "0" * 64}).json
    assert mover.work(Job.model_validate(asked)).status is JobStatus.FAILED
    told = mover.client.workspaces.get_import(asked["id"]).status_reason
    assert told is not None
    assert "its SHA-256 is another. Send it again" in told
    sending = api.post(f"/v1/workspaces/{mover.own}/archives", {"sha256": "0" * 64, "num_bytes": 5})
    assert sending.json["request"], "it can be"


def test_an_export_says_until_when_its_zip_is_there(
    api: Api, open_mover: Callable[[Api], Mover], tmp_path: Path
) -> None:
    mover = open_mover(api)
    asked = mover.client.workspaces.export()
    mover.work(asked)
    found = mover.client.workspaces.get_export(asked)
    assert found.expires_at is not None
    assert found.expires_at - found.created_at > timedelta(days=29)
    api.ports.lake.delete(keys.workspace_export(mover.own, asked.id))
    gone = mover.client.workspaces.get_export(asked)
    assert (gone.url, gone.report) == (None, found.report)
    with pytest.raises(ConflictError, match="its zip has expired"):
        mover.client.workspaces.save_export(asked, tmp_path / "team.zip")


def test_a_conflict_is_told_with_the_plan(api: Api, open_mover: Callable[[Api], Mover], tmp_path: Path) -> None:
    here, there = open_mover(api), open_mover(api.as_stranger())
    add_dataset(api.ports, owner_of(api), name="adult")
    asked = here.client.workspaces.export()
    here.work(asked)
    here.client.workspaces.save_export(asked, tmp_path / "team.zip")
    there.client.datasets.create("adult")
    coming = there.client.workspaces.import_archive(tmp_path / "team.zip")
    assert there.work(coming).status is JobStatus.FAILED
    found = there.client.workspaces.get_import(coming)
    assert found.status_reason is not None
    assert "1 things are in conflict: dataset adult" in found.status_reason
    assert found.report is not None
    assert found.report.counts[TransferAction.CONFLICT] == 1


def test_what_is_wrong_with_a_request_is_said(api: Api, open_mover: Callable[[Api], Mover]) -> None:
    own = f"/v1/workspaces/{api.workspace.id}"
    never = api.post(f"{own}/imports", {"archive": "0" * 64})
    assert (never.status, never.code) == (409, "conflict")
    assert "has not arrived" in never.json["detail"]
    archive = {"sha256": "0" * 64, "num_bytes": 6 * 1024**3}
    too_large = api.post(f"{own}/archives", archive)
    assert (too_large.status, "give `part_bytes`" in too_large.text) == (422, True)
    too_many = api.post(f"{own}/archives", {**archive, "part_bytes": 5 * 1024**2})
    assert (too_many.status, "choose larger ones, of 6442451 bytes" in too_many.text) == (422, True)
    planned = api.post(f"{own}/archives", {**archive, "part_bytes": 64 * 1024**2}).json["parts"]
    assert (len(planned), sum(1 for part in planned if part["request"])) == (96, 50)
    mover = open_mover(api)
    asked = mover.client.workspaces.export()
    assert api.get(f"{own}/imports/{asked.id}").status == 404
    api.post(f"/v1/jobs/{asked.id}/stop")
    again = api.post(f"/v1/jobs/{asked.id}/retry")
    assert (again.status, again.code) == (409, "conflict")
    assert api.post("/v1/jobs", {"spec": {"kind": "export"}}).status == 422, "only their own address submits them"
    assert [job["id"] for job in api.get("/v1/jobs?kind=export").json["items"]] == [asked.id]


def test_h16_a_deletion_is_scheduled_read_and_taken_back(api: Api, open_mover: Callable[[Api], Mover]) -> None:
    client = open_mover(api).client
    with pytest.raises(InvalidRequestError, match="confirm is 'tem', and the workspace is called 'team'"):
        client.workspaces.delete(confirm="tem")
    scheduled = client.workspaces.delete(confirm="team", grace_hours=24)
    assert (scheduled.status, scheduled.stage) == ("SCHEDULED", "grace")
    assert client.workspaces.get().delete_at == scheduled.delete_at
    assert client.workspaces.get_deletion() == scheduled
    assert api.as_role(Role.VIEWER).get(f"/v1/workspaces/{api.workspace.id}/deletion").status == 200
    client.workspaces.keep()
    assert client.workspaces.get().delete_at is None
    entries = [entry["action"] for entry in api.get("/v1/audit").json["items"]]
    kept = [action for action in entries if action in ("workspace.keep", "workspace.delete")]
    assert kept == ["workspace.keep", "workspace.delete"]
    assert records.get(api.ports, Job, api.workspace.id, client.workspaces.export().id).kind == "export"


def test_a_dataset_leaves_and_comes_in_by_itself(api: Api, transport: InProcessTransport, tmp_path: Path) -> None:
    scene = Scene(workspace_name="scene", ports=api.ports)
    scene.principal = owner_of(api)
    dataset = scene.dataset("prices")
    scene.upload(dataset, b"id,price\n1,2.5\n2,3.5\n")
    with aimass.Client(base_url="http://aimass.test", api_key=str(api.token), transport=transport) as client:
        one = client.datasets.get_version("prices", 1).download(tmp_path / "prices.parquet")
        assert pq.read_table(one).to_pylist() == [{"id": 1, "price": 2.5}, {"id": 2, "price": 3.5}]
        scene.upload(dataset, b"id,price\n3,4.5\n", mode=WriteMode.APPEND)
        several = client.datasets.get_version("prices", 2).download(tmp_path / "prices.zip")
    scene.upload(scene.dataset("copied"), several.read_bytes(), name="prices.zip")
    copied = scene.version(scene.dataset_named("copied"), 1)
    assert scene.rows(copied) == scene.rows(scene.version(dataset, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prices.parquet", "prices.zip"]


def test_the_command_line_saves_a_dataset_and_schedules_a_deletion(run: Run, api: Api, tmp_path: Path) -> None:
    scene = Scene(workspace_name="scene", ports=api.ports)
    scene.principal = owner_of(api)
    scene.upload(scene.dataset("prices"), b"id,price\n1,2.5\n")
    ran = run("datasets", "export", "prices")
    assert (ran.code, (tmp_path / "prices-1.parquet").is_file()) == (0, True), ran.err
    assert "Saved prices-1.parquet" in ran.err
    ran = run("workspaces", "delete", "--confirm", "tem")
    assert (ran.code, "the workspace is called 'team'" in ran.err) == (3, True)
    assert run("workspaces", "delete", "--confirm", "team", "--grace-hours", "5").code == 0
    told = run("workspaces", "deletion", "-o", "json")
    assert json.loads(told.out)["status"] == "SCHEDULED"
    assert run("workspaces", "keep").code == 0
    assert run("workspaces", "deletion").code == 5
    assert run("workspaces", "import", "nothing.zip").code == 2
