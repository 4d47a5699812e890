"""Reports: what they say of a workspace and of a model, as a page and as a PDF."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_counters import Counts, bucket_of
from aimass_core.domain.endpoints import EndpointCreate
from aimass_core.domain.jobs import Job, JobStatus, ReportSpec
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.workspace_reports import Report, ReportCreate, ReportFigure
from aimass_core.domain.workspaces import Workspace
from aimass_core.ports import Put
from aimass_core.services import dispatch, endpoint_counters, endpoints, notifications, records, workspace_reports
from batch_jobs.report import page, workflow
from batch_jobs.report.content import Chart as ReportChart
from batch_jobs.report.content import Content, Section, Series, Table
from batch_jobs.report.document import to_pdf
from tests.factories.platform import (
    LIMITS,
    ManualClock,
    add_dataset,
    add_job,
    add_version,
    make_model,
    new_ports,
    new_principal,
    tell,
)
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.batch_jobs.pages import Tags

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m\u540d\u524d"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    return new_ports(clock)


@pytest.fixture
def principal(ports: MemoryPorts) -> Principal:
    """Somebody in a workspace."""
    made = new_principal()
    fields = {**records.new_fields(ports, made, Workspace), "id": made.workspace_id}
    ports.registry.write(Put(row=records.to_row(Workspace(**fields, name="team"))))
    return made


@pytest.fixture
def busy(ports: MemoryPorts, principal: Principal, clock: ManualClock) -> None:
    """Last week a dataset; this week another version, two models, a job that failed, an endpoint and its traffic."""
    dataset = add_dataset(ports, principal)
    add_version(ports, principal, dataset)
    add_version(ports, principal, add_dataset(ports, principal, name="other"))
    clock.advance(7 * 86_400)
    add_version(ports, principal, records.find(ports, type(dataset), dataset.workspace_id, "adult"))
    score(ports, make_model(ports, principal), 0.91)
    clock.advance(3_600)
    score(ports, make_model(ports, principal, model=b"better"), 0.93)
    failing = add_job(ports, principal, dataset="other")
    dispatch.dispatch(ports, failing.workspace_id, failing.id)
    tell(ports, failing, JobStatus.FAILED, exit_code=65)
    made = endpoints.create(ports, principal, EndpointCreate(model="adult@1"))
    endpoint = endpoints.activate(ports, made.workspace_id, made.id)
    assert endpoint.serving is not None
    latencies = [0] * len(Counts().latencies)
    latencies[bucket_of(12.0)] = 90
    counts = Counts(requests=100, errors=10, rows=450, microseconds=90 * 12_000, latencies=latencies)
    endpoint_counters.add(
        ports, endpoint_counters.to_counted(endpoint, endpoint.serving), counts, minute=clock() - timedelta(minutes=9)
    )
    notifications.tell_once(
        ports,
        principal.workspace_id,
        NotificationType.ENDPOINT_ALARM,
        Subject(resource="endpoint", id=endpoint.id, name="adult"),
        told="it",
        title="The endpoint adult passes its limits",
        text="10.00% of 100 requests failed",
    )
    clock.advance(60)


def score(ports: MemoryPorts, job: Job, value: float) -> None:
    ref = job.model_version
    assert ref is not None
    version = records.get(ports, ModelVersion, job.workspace_id, ref.model_id, ref.number)
    records.save(ports, version, ref.model_id, ref.number, metrics={"roc_auc": value})


def ask(ports: MemoryPorts, principal: Principal, **request: object) -> Report:
    return workspace_reports.create(ports, principal, ReportCreate.model_validate(request), limits=LIMITS)


def section(content: Content, title: str) -> Section:
    return next(each for each in content.sections if each.title == title)


def cells(content: Content, title: str) -> list[list[str]]:
    return [list(row) for table in section(content, title).tables for row in table.rows]


@pytest.mark.usefixtures("busy")
def test_report_tells_of_its_days_and_of_those_before(ports: MemoryPorts, principal: Principal) -> None:
    content = workflow.build(ports, ask(ports, principal))
    figures = {each.name: (each.value, each.before) for each in content.figures}
    assert figures["jobs"] == ("3", "0")
    assert figures["jobs that failed"] == ("1", "0")
    assert figures["new model versions"] == ("2", "0")
    assert figures["predictions asked for"] == ("100", "0")
    assert figures["warnings and errors"] == ("1", None)
    assert [row[:3] for row in cells(content, "Data")] == [["adult", "1", "0"], ["other", "0", "0"]]
    kinds, (failed, cause) = cells(content, "Jobs")
    assert kinds[:4] == ["train", "2", "1", "0"]
    assert failed == "1"
    assert cause
    (scored,) = cells(content, "Scores")
    assert scored[:6] == ["adult", "2", "@2", "roc_auc", "0.9300", "0.9100"]
    (chart,) = section(content, "Scores").charts
    assert chart.series[0].values == [0.91, 0.93]
    assert cells(content, "Traffic") == [["adult", "100", "10.00%", "450", "11.2 ms", "12.4 ms"]]
    assert [row[1:] for row in cells(content, "Warnings and alarms")] == [
        ["endpoint.alarm", "The endpoint adult passes its limits", "10.00% of 100 requests failed"]
    ]
    assert "none was kept" in section(content, "Drift").notes[0]


@pytest.mark.usefixtures("busy")
def test_report_on_a_model_leaves_out_the_others(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, dataset="other", model=b"third")
    content = workflow.build(ports, ask(ports, principal, model="adult"))
    assert content.title == "Report on the model adult"
    assert {each.name: each.value for each in content.figures}["jobs"] == "2"
    assert [row[0] for row in cells(content, "Scores")] == ["adult"]
    assert [row[0] for row in cells(content, "Data")] == ["adult"]


def test_empty_workspace_says_what_to_do_first(ports: MemoryPorts, principal: Principal) -> None:
    content = workflow.build(ports, ask(ports, principal))
    assert "aimass datasets upload" in section(content, "Data").notes[0]
    assert "aimass deploy" in section(content, "Traffic").notes[0]
    assert section(content, "Warnings and alarms").notes == ["Nothing went wrong."]
    assert to_pdf(content).startswith(b"%PDF")


@pytest.mark.usefixtures("busy")
def test_job_leaves_page_document_and_summary(ports: MemoryPorts, principal: Principal, tmp_path: Path) -> None:
    report = ask(ports, principal)
    environment = build_environment(tmp_path, {}, ReportSpec(report=report.id))
    metrics = workflow.make(ports, report.workspace_id, report.id, environment, RecordingReporter())
    output = environment.output_path
    assert metrics["pdf_bytes"] == (output / "report.pdf").stat().st_size
    figures = json.loads((output / "report.json").read_text())["figures"]
    assert {"name": "jobs", "value": "3", "before": "0"} in figures
    first = (output / "report.pdf").read_bytes()
    workflow.make(ports, report.workspace_id, report.id, environment, RecordingReporter())
    assert (output / "report.pdf").read_bytes() == first, "a later attempt leaves the same"


@pytest.mark.usefixtures("busy")
def test_page_fetches_nothing_and_runs_nothing(ports: MemoryPorts, principal: Principal) -> None:
    html = page.render(workflow.build(ports, ask(ports, principal)))
    seen = Tags()
    seen.feed(html)
    assert {"svg", "table", "h1"} <= seen.tags
    assert not seen.tags & {"script", "img", "link", "iframe", "object"}
    assert not [name for name, _ in seen.attributes if name in ("style", "src") or name.startswith("on")]
    assert not re.findall(r"""(?:href|xlink:href)=["'](?!#)""", html)


def test_i1_names_of_users_are_texts() -> None:
    clock = ManualClock()
    days = [clock() - timedelta(days=day) for day in (2, 1)]
    content = Content(
        title=HOSTILE,
        workspace=HOSTILE,
        since=days[0],
        until=days[1],
        figures=[ReportFigure(name=HOSTILE, value=HOSTILE * 20, before=HOSTILE)],
        sections=[
            Section(
                title=HOSTILE,
                charts=[ReportChart(title=HOSTILE, moments=days, series=[Series(name=HOSTILE, values=[1.0, None])])],
                tables=[Table(names=[HOSTILE], numbers=[False], rows=[[HOSTILE * 30], [""]])],
                notes=[HOSTILE * 50],
            )
        ],
    )
    html = page.render(content)
    assert "<img" not in html
    assert html.count("&lt;img") > 5
    assert to_pdf(content).startswith(b"%PDF")


def test_long_tables_go_on_with_the_next_sheet() -> None:
    clock = ManualClock()
    tables = [Table(names=["a", "b"], numbers=[False, True], rows=[["x", "1"]] * 15)] * 12
    content = Content(
        title="t", workspace="w", since=clock(), until=clock(), sections=[Section(title="s", tables=tables)]
    )
    assert len(re.findall(rb"/Type /Page\b", to_pdf(content))) > 2
