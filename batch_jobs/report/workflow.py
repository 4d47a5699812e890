"""A report job: gathers, and writes report.html, report.pdf and report.json, which says the figures in short."""

from aimass_core import bootstrap
from aimass_core.domain.jobs import ReportSpec
from aimass_core.domain.workspace_reports import Report, ReportFigure
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import InternalError
from aimass_core.ports import Ports
from aimass_core.services import records
from aimass_core.services.workspace_reports import HTML, PDF, SUMMARY, ReportSummary
from aimass_core.settings import ContainerSettings
from batch_jobs.report import page, sections
from batch_jobs.report.content import Content, Section
from batch_jobs.report.document import to_pdf
from batch_jobs.report.gathering import gather
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter

_NUM_STEPS = 4


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `report`."""
    if not isinstance(environment.spec, ReportSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as report.")
    settings = ContainerSettings()
    ports = bootstrap.build_ports(settings)
    return make(ports, settings.workspace_id, environment.spec.report, environment, reporter)


def make(
    ports: Ports, workspace_id: str, report_id: str, environment: Environment, reporter: Reporter
) -> dict[str, float]:
    """The same on given ports. A later attempt tells of the same span."""
    report = records.get(ports, Report, workspace_id, report_id)
    reporter.progress("gather", step=1, num_steps=_NUM_STEPS)
    content = build(ports, report)
    output = environment.output_path
    output.mkdir(parents=True, exist_ok=True)
    reporter.progress("html", step=2, num_steps=_NUM_STEPS)
    (output / HTML).write_text(page.render(content), encoding="utf-8")
    reporter.progress("pdf", step=3, num_steps=_NUM_STEPS)
    document = to_pdf(content)
    (output / PDF).write_bytes(document)
    (output / SUMMARY).write_text(ReportSummary(figures=content.figures).model_dump_json(indent=1), encoding="utf-8")
    reporter.progress("done", step=_NUM_STEPS, num_steps=_NUM_STEPS)
    return {"html_bytes": float((output / HTML).stat().st_size), "pdf_bytes": float(len(document))}


def build(ports: Ports, report: Report) -> Content:
    """What the report says."""
    workspace = records.get(ports, Workspace, report.workspace_id, report.workspace_id)
    title = "Workspace report" if report.model is None else f"Report on the model {report.model}"
    content = Content(title=title, workspace=workspace.name, since=report.since, until=report.until)
    found = gather(ports, report)
    parts: tuple[tuple[Section, list[ReportFigure]], ...] = (
        sections.data(found),
        sections.training(found),
        sections.scores(found),
        sections.serving(ports, found),
        (sections.drift(ports, found), []),
        sections.spend(found),
        sections.alarms(ports, found),
    )
    for section, figures in parts:
        content.sections.append(section)
        content.figures += figures
    return content
