"""`aimass collectors`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list
from aimass.collect import scaffold
from aimass.collect.projects import Project, StreamReport, Tried, open_project, try_run
from aimass.packing import packed
from aimass.uploading import send_source
from aimass_core.domain.collector_messages import Record
from aimass_core.errors import InvalidDataError, InvalidRequestError, NotFoundError

app = typer.Typer()

_STATE = ".aimass/state.json"
Folder = Annotated[Path, typer.Argument(help="The collector's folder, which has a source.yaml.")]
_COLUMNS = (
    Column("STREAM", lambda r: r.name),
    Column("RECORDS", lambda r: r.num_records, is_number=True),
    Column("COLUMNS", lambda r: ", ".join(r.columns)),
    Column("PRIMARY KEY", lambda r: ", ".join(r.primary_key)),
)


@app.command("new")
def new_collector(
    name: Annotated[str, typer.Argument(help="Of the source: small letters, digits and -.")],
    folder: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
    singer: Annotated[bool, typer.Option("--singer", help="A program in any language instead of Python.")] = False,
) -> None:
    """Make a folder with a collector that works, its settings and its test."""
    for path in scaffold.make(name, folder, singer=singer):
        typer.echo(path)
    place = folder / name
    say(f"Next: aimass collectors run {plain(str(place))}    then: aimass collectors publish {plain(str(place))}")


@app.command("run")
def run_collector(
    folder: Folder = Path(),
    local: Annotated[bool, typer.Option("--local", help="It always does; see `aimass sources run`.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, without the state of the last run.")] = False,
    save: Annotated[Path | None, typer.Option(help="A folder for the records, as JSON Lines by stream.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run a collector on this machine and show what it brings; secrets are variables of their name."""
    del local
    project = open_project(folder)
    path = folder / _STATE
    state = None if fresh or not path.is_file() else json.loads(path.read_text("utf-8"))
    tried = _try(project, state=state, limit=limit, save=save)
    if tried.state is not None and not tried.is_cut:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(tried.state, indent=1), "utf-8")
    _show(tried, output)
    if output is OutputFormat.TABLE:
        _say_findings(tried)
        if not any(report.num_records for report in tried.streams.values()) and state is not None:
            say("Nothing is new since the last run. Begin anew with --fresh.")


@app.command("check")
def check_collector(
    folder: Folder = Path(),
    limit: Annotated[int, typer.Option(min=1, help="Records to look at.")] = 1_000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Check a collector: its settings, its messages, its keys, and that it goes on where it ended."""
    project = open_project(folder)
    first = _try(project, state=None, limit=limit, save=None)
    problems = [f"{report.name}: {text}" for report in first.streams.values() for text in report.problems()]
    if not any(report.num_records for report in first.streams.values()):
        problems.append("No stream brought a record.")
    problems += _check_policy(project, first)
    if first.state is not None and not first.is_cut:
        second = _try(project, state=first.state, limit=limit, save=None)
        for name, report in second.streams.items():
            before = first.streams.get(name)
            if before is not None and report.num_records and report.num_records == before.num_records:
                say(f"[yellow]Note:[/] {plain(name)} brings all records again although it has a state.")
    _show(first, output)
    if problems:
        raise InvalidDataError(f"{len(problems)} problems: {' '.join(problems)}")
    say("It is as it should be. Next: aimass collectors publish " + plain(str(folder)))


@app.command("publish")
def publish_collector(
    context: typer.Context,
    folder: Folder = Path(),
    name: Annotated[str | None, typer.Option(help="Of the source. Default: the folder's.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Send a collector and make a source of it, or give its source the new code and settings."""
    project, client = open_project(folder), client_of(context)
    source_name = name or folder.resolve().name
    with packed(folder, entry_point=_main_file(project)) as path:
        package = send_source(client, path)
    settings: dict[str, Any] = {**project.settings, "collector": {**project.settings["collector"], "package": package}}
    try:
        found = client.sources.get(source_name)
    except NotFoundError:
        source, word = client.sources.create(source_name, **settings), "created"
    else:
        source, word = client.sources.update(found, **settings), "updated"
    if output is not OutputFormat.TABLE:
        show_list([source], (Column("NAME", lambda s: s.name), Column("ID", lambda s: s.id)), output=output)
        return
    typer.echo(source.name)
    say(f"The source {plain(source.name)} is {word}. Next: aimass sources run {plain(source.name)}")
    for secret in sorted(_secrets(project.collector.config) - set(source.secrets)):
        say(f"It needs a secret: aimass sources secrets set {plain(source.name)} {plain(secret)}")


def _main_file(project: Project) -> str:
    """A file that must be in the package."""
    from aimass_core.domain.collectors import PythonCollector

    if not isinstance(project.collector, PythonCollector):
        return "source.yaml"
    module = project.collector.entry_point.partition(":")[0].replace(".", "/")
    paths = (f"{module}.py", f"{module}/__init__.py")
    found = next((path for path in paths if (project.folder / path).is_file()), None)
    if found is None:
        raise InvalidRequestError(f"{project.folder} has neither {paths[0]} nor {paths[1]}, which source.yaml names.")
    return found


def _try(project: Project, *, state: Any, limit: int | None, save: Path | None) -> Tried:
    files: dict[str, Any] = {}

    def keep(record: Record) -> None:
        if save is None:
            return
        if record.stream not in files:
            save.mkdir(parents=True, exist_ok=True)
            name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in record.stream)
            files[record.stream] = (save / f"{name}.jsonl").open("w", encoding="utf-8")
        files[record.stream].write(json.dumps(record.data, ensure_ascii=False) + "\n")

    try:
        return try_run(project, state=state, limit=limit, on_record=keep, on_note=lambda text: say(plain(text)))
    finally:
        for file in files.values():
            file.close()


def _show(tried: Tried, output: OutputFormat) -> None:
    show_list(list(tried.streams.values()), _COLUMNS, output=output, empty="The collector named no stream.")


def _say_findings(tried: Tried) -> None:
    for report in tried.streams.values():
        _say_report(report)
    if tried.is_cut:
        say("It was stopped at the limit; its state was not kept.")


def _say_report(report: StreamReport) -> None:
    for text in report.problems():
        say(f"[yellow]Note:[/] {plain(report.name)}: {plain(text)}")
    for example in report.examples[:1]:
        say(f"  {plain(report.name)}: {plain(json.dumps(example, ensure_ascii=False, default=str)[:300])}")


def _check_policy(project: Project, tried: Tried) -> list[str]:
    """What the policy names must be there."""
    policy, problems = project.policy, []
    for name, report in tried.streams.items():
        own = policy.streams.get(name)
        keys = (own.primary_key if own is not None else None) or policy.primary_key
        cursor = (own.cursor if own is not None else None) or policy.cursor
        for column in [*keys, *([cursor.path] if cursor is not None else [])]:
            if report.num_records and column.partition(".")[0] not in report.columns:
                problems.append(f"{name}: the policy names the column {column!r}, which no record has.")
    return problems


def _secrets(config: Any) -> set[str]:
    if isinstance(config, dict):
        if set(config) == {"secret"}:
            return {str(config["secret"])}
        return {name for value in config.values() for name in _secrets(value)}
    return {name for value in config for name in _secrets(value)} if isinstance(config, list) else set()
