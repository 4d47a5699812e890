"""A workspace that moves: exported, imported into an empty installation, and imported again."""

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from aimass_core.domain.common import utc_now
from aimass_core.domain.costs import CostKind
from aimass_core.domain.endpoints import EndpointStatus
from aimass_core.domain.notifications import NotificationType
from aimass_core.domain.settings.contract import Subsystem
from aimass_core.domain.sources import SourceStatus
from aimass_core.domain.transfers import ImportReport, OnConflict, TransferAction
from aimass_core.errors import InvalidRequestError
from aimass_core.services import (
    costs,
    datasets,
    endpoints,
    jobs,
    models,
    notification_events,
    notifications,
    settings,
    sources,
    studies,
    triggers,
    users,
)
from tests.unit.batch_jobs.transfer.office import CANARY, TRIALS, Office
from tests.unit.core.services.ingest.scene import Scene


@pytest.fixture
def office(tmp_path: Path) -> Office:
    found = Office.open("team", tmp_path / "here")
    found.furnish()
    return found


def actions(report: ImportReport) -> dict[str, TransferAction]:
    return {f"{item.resource} {item.name}": item.action for item in report.items if item.resource != "job"}


def test_everything_comes_into_an_empty_installation(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    report = there.import_(office.export())
    assert set(actions(report).values()) == {TransferAction.CREATE}
    assert actions(report).keys() == {
        "settings training",
        "notification_rule failures",
        "source orders",
        "dataset adult",
        "dataset_version adult@1",
        "study sweep",
        "model adult",
        "model_version adult@1",
        "endpoint adult",
        "trigger nightly",
    }
    left = {name: body for name, body in office.objects().items() if "quarantine" not in name}
    assert there.objects() == left, "every byte is the same"
    ports, principal = there.ports, there.principal
    version = models.get_version(ports, principal, "adult")
    assert jobs.get(ports, principal, version.job_id).imported_at is not None
    assert datasets.get(ports, principal, "adult").latest_version == 1
    assert settings.get(ports, principal, Subsystem.TRAINING).revision == 2
    assert users.list_page(ports, principal, limit=10, start=None)[0] == [], "nobody is let in by a file"
    assert studies.get_best(ports, principal, "sweep").trial == 3
    assert there.trials.read(principal.workspace_id, studies.get(ports, principal, "sweep").id) == TRIALS


def test_what_came_with_an_import_was_paid_and_told_of_elsewhere(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    there.ports.clock = lambda: utc_now() + timedelta(days=2)
    there.import_(office.export())
    for row in there.rows().values():
        notification_events.hear(there.ports, row.key)
    assert notifications.list_page(there.ports, there.principal, limit=10)[0] == []
    for row in office.rows().values():
        notification_events.hear(office.ports, row.key)
    told = {each.type for each in notifications.list_page(office.ports, office.principal, limit=10)[0]}
    assert told >= {NotificationType.JOB_SUCCEEDED, NotificationType.VERSION_READY}, "there it happened"
    found = costs.get(there.ports, there.principal, since=utc_now().date(), until=there.ports.clock().date())
    assert found.by_kind[CostKind.JOBS] == 0
    assert datasets.get_version(there.ports, there.principal, "adult", 1).imported_at is not None
    assert models.get_version(there.ports, there.principal, "adult").imported_at is not None


def test_an_imported_endpoint_serves_the_same_model_once_it_has_given_its_golden_answer(
    office: Office, tmp_path: Path
) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    there.import_(office.export(with_data=False))
    endpoint = there.endpoint()
    assert (endpoint.status, endpoint.serving, endpoint.settings.threshold) == (EndpointStatus.CREATING, None, 0.7)
    served = endpoints.activate(there.ports, there.principal.workspace_id, endpoint.id)
    was = office.endpoint().serving
    assert (served.status, served.serving) == (EndpointStatus.READY, was)
    assert models.get_version(there.ports, there.principal, "adult").endpoints == [endpoint.id], "it holds the version"


def test_what_would_act_by_itself_is_paused_and_the_report_says_what_to_do(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    report = there.import_(office.export(with_data=False))
    source = sources.get(there.ports, there.principal, "orders")
    assert (source.status, source.secrets, source.next_run_at) == (SourceStatus.PAUSED, [], None)
    assert triggers.get(there.ports, there.principal, "nightly").status == "PAUSED"
    assert report.to_do == [
        "The source orders is paused: set its secrets (token), then aimass sources resume orders",
        "The trigger nightly is paused: aimass triggers resume nightly",
        "Invite them, where you want: aimass users invite ada@example.com --role developer",
        "The dataset adult has no rows here: aimass datasets upload adult <file>",
    ]


def test_no_secret_and_no_key_is_in_an_archive(office: Office) -> None:
    with zipfile.ZipFile(io.BytesIO(office.export())) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert CANARY.encode() not in everything
    assert b"secret_sha256" not in everything


def test_a_second_import_changes_nothing(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    archive = office.export()
    there.import_(archive)
    before, num_audited = there.rows(), there.num_audited()
    assert num_audited > 8, "each thing that was made"
    again = there.import_(archive)
    assert set(actions(again).values()) == {TransferAction.SKIP}
    assert there.rows() == before
    assert there.num_audited() == num_audited


def test_an_import_into_its_own_workspace_changes_nothing(office: Office) -> None:
    before = office.rows()
    report = office.import_(office.export())
    assert report.counts == {**dict.fromkeys(TransferAction, 0), TransferAction.SKIP: len(report.items)}
    assert office.rows() == before


def test_data_follow_after_an_import_without_them(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    there.import_(office.export(with_data=False))
    assert datasets.get(there.ports, there.principal, "adult").latest_version is None
    report = there.import_(office.export())
    assert actions(report)["dataset_version adult@1"] is TransferAction.CREATE
    rows = datasets.load_rows(there.ports, there.principal, "adult", 1, limit=2).rows
    assert rows == datasets.load_rows(office.ports, office.principal, "adult", 1, limit=2).rows


def test_a_dry_run_says_the_same_and_writes_nothing(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    before, archive = there.rows(), office.export()
    planned = there.import_(archive, dry_run=True)
    assert there.rows() == before
    assert there.objects() == {}
    assert planned.model_copy(update={"dry_run": False}) == there.import_(archive)


class _CrashError(Exception):
    """The machine is gone."""


def test_an_import_that_was_cut_off_anywhere_goes_on(office: Office, tmp_path: Path) -> None:
    archive = office.export()
    whole = Office.open("whole", tmp_path / "whole")
    whole.import_(archive)
    wanted, num_writes = set(whole.rows()), 0
    while True:
        num_writes += 1
        there = Office.open(f"cut-{num_writes}", tmp_path / f"cut-{num_writes}")
        there.ports.registry = _Failing(there.ports.registry, after=num_writes)  # type: ignore[assignment]
        try:
            there.import_(archive)
        except _CrashError:
            there.ports.registry.mend()  # type: ignore[attr-defined]
            there.import_(archive)
            assert set(there.rows()) - wanted == _own(there) - wanted
            assert wanted - set(there.rows()) == _own(whole) - set(there.rows())
            assert there.objects() == whole.objects()
        else:
            break
    assert num_writes > 8, "it was cut off at every write"


def _own(office: Office) -> set[str]:
    """Rows whose keys hold ids that every workspace has of its own: itself, and the holds of its endpoint's history."""
    return {sort for sort in office.rows() if sort.startswith(("WORKSPACE#", "API_KEY#"))}


class _Failing:
    """A registry that is gone with one of its writes."""

    def __init__(self, registry: object, *, after: int) -> None:
        self._registry, self._left = registry, after

    def mend(self) -> None:
        self._left = 10_000

    def write(self, *writes: object) -> None:
        self._left -= 1
        if self._left <= 0:
            raise _CrashError
        self._registry.write(*writes)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._registry, name)


def test_names_that_are_taken_stop_the_import_before_it_begins(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    Scene(workspace_name="scene", ports=there.ports)
    _dataset(there, "adult")
    before, archive = there.rows(), office.export()
    with pytest.raises(
        InvalidRequestError, match="1 things are in conflict: dataset adult: The name 'adult' is that of"
    ):
        there.import_(archive)
    assert there.rows() == before
    report = ImportReport.model_validate_json(there.left.read_bytes())
    assert actions(report)["dataset adult"] is TransferAction.CONFLICT


def test_on_conflict_skip_leaves_out_what_needs_what_is_left_out(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    _dataset(there, "adult")
    found = actions(there.import_(office.export(), on_conflict=OnConflict.SKIP))
    left_out = {"dataset adult", "dataset_version adult@1", "trigger nightly"}
    assert {name for name, action in found.items() if action is TransferAction.LEAVE_OUT} == left_out
    assert found["model_version adult@1"] is found["endpoint adult"] is TransferAction.CREATE


def test_on_conflict_rename_gives_another_name_wherever_it_is_told(office: Office, tmp_path: Path) -> None:
    there = Office.open("elsewhere", tmp_path / "there")
    _dataset(there, "adult")
    archive = office.export()
    first = there.import_(archive, on_conflict=OnConflict.RENAME)
    [renamed] = [item for item in first.items if item.action is TransferAction.RENAME]
    assert (renamed.resource, renamed.new_name) == ("dataset", "adult-imported")
    ports, principal = there.ports, there.principal
    assert datasets.get_version(ports, principal, "adult-imported", 1).dataset_name == "adult-imported"
    trigger = triggers.get(ports, principal, "nightly")
    assert trigger.dataset_name == "adult-imported"
    assert json.loads(trigger.job.model_dump_json())["spec"]["dataset"] == "adult-imported"
    version = models.get_version(ports, principal, "adult")
    assert version.datasets["train"].dataset_name == "adult-imported"
    before = there.rows()
    again = there.import_(archive, on_conflict=OnConflict.RENAME)
    assert set(actions(again).values()) == {TransferAction.SKIP}
    assert there.rows() == before


def _dataset(office: Office, name: str) -> None:
    scene = Scene(workspace_name="other-scene", ports=office.ports)
    scene.principal = office.principal
    scene.dataset(name)
