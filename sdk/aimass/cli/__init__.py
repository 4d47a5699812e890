"""`aimass` on the command line: data on stdout, words on stderr, and an exit code that says what happened."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Annotated

import typer

from aimass.cli import (
    algorithms,
    api_keys,
    audit,
    collectors,
    configure,
    console,
    costs,
    datasets,
    drop,
    endpoint_watches,
    endpoints,
    grants,
    jobs,
    logs,
    model_jobs,
    models,
    notifications,
    predicting,
    quality,
    quarantine,
    recipes,
    reports,
    scripts,
    searches,
    serving,
    settings,
    sources,
    sql,
    studies,
    system,
    tensorboard,
    triggers,
    users,
    workspaces,
)
from aimass.cli.output import Session, plain, say
from aimass.errors import ConfigurationError, ConnectionFailedError, QueryFailedError, RejectedDataError
from aimass.version import __version__
from aimass_core.errors import (
    AimassError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    StaleRevisionError,
    UnauthenticatedError,
)

app = typer.Typer(
    name="aimass",
    help="From raw data to a small, fast, served model.",
    epilog="Exit codes: 0 done, 1 failed (the job, the platform), 2 wrong usage, 3 request or data refused, "
    "4 key or role, 5 not found, 6 conflict, 7 no answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_EXIT_CODES: tuple[tuple[tuple[type[AimassError], ...], int], ...] = (
    ((InvalidRequestError, QueryFailedError, RejectedDataError), 3),
    ((UnauthenticatedError, PermissionDeniedError, ConfigurationError), 4),
    ((NotFoundError,), 5),
    ((ConflictError, StaleRevisionError), 6),
    ((ConnectionFailedError,), 7),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    profile: Annotated[
        str | None, typer.Option(help="A profile of `aimass configure`.", envvar="AIMASS_PROFILE")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = context.obj or Session(profile=profile)
    context.call_on_close(context.obj.close)


# By centre, as `aimass --help` shows them.

_COMMANDS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "Collection": {"drop": drop.drop, "prepare": recipes.prepare, "sql": sql.sql},
    "Training": {
        "train": jobs.train,
        "search": searches.search,
        "autotrain": searches.autotrain,
        "compress": model_jobs.compress,
        "fuse": model_jobs.fuse,
        "decompose": model_jobs.decompose,
        "run": scripts.run,
        "tensorboard": tensorboard.tensorboard,
    },
    "Inference": {
        "deploy": endpoints.deploy,
        "predict": endpoints.predict,
        "predict-batch": predicting.predict_batch,
        "serve": serving.serve,
    },
    "Management": {
        "console": console.console,
        "configure": configure.configure,
        "whoami": workspaces.whoami,
        "logs": logs.logs,
        "costs": costs.show_costs,
        "budget": costs.show_budget,
    },
}
_GROUPS: Mapping[str, Sequence[tuple[str, typer.Typer, str]]] = {
    "Collection": (
        ("datasets", datasets.app, "Upload data; look at versions, rows and profiles."),
        ("sources", sources.app, "Where data is collected from: policies, runs, secrets, grants."),
        ("collectors", collectors.app, "Write, try and publish programs that read sources."),
        ("recipes", recipes.app, "How datasets are made of others, step by step."),
        ("quality", quality.app, "What is expected of datasets, and what was found."),
        ("quarantine", quarantine.app, "Rows that were kept apart: look at them, correct and replay them."),
        ("triggers", triggers.app, "What new versions and the time set going."),
    ),
    "Training": (
        ("algorithms", algorithms.app, "What can be trained, with which hyperparameters."),
        ("jobs", jobs.app, "Watch, stop and retry jobs."),
        ("studies", studies.app, "What searches and autotrain learned."),
        ("models", models.app, "Trained models and their versions."),
    ),
    "Inference": (("endpoints", endpoints.app, "Served models."),),
    "Management": (
        ("settings", settings.app, "Settings of every subsystem: what holds, who changed it, and how to change it."),
        ("users", users.app, "People who may sign in to this workspace."),
        ("grants", grants.app, "Single datasets, models and endpoints for others."),
        ("api-keys", api_keys.app, "Credentials of this workspace."),
        ("workspaces", workspaces.app, "Workspaces."),
        ("audit", audit.app, "Who changed what and read which data."),
        ("notifications", notifications.app, "What has happened; who hears of it, and what came of that."),
        ("reports", reports.app, "Reports on the workspace or a model, also every week."),
        ("system", system.app, "How the platform does, and what it could not process."),
    ),
}

endpoints.app.add_typer(endpoint_watches.app)
for centre, commands in _COMMANDS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=centre)(command)
    for name, group, words in _GROUPS[centre]:
        app.add_typer(
            group, name=name, help=words, no_args_is_help=not group.info.invoke_without_command, rich_help_panel=centre
        )


def _add_groups() -> None:
    """Command groups of other packages (`aimass local` comes from the local cloud)."""
    for entry in entry_points(group="aimass.cli"):
        try:
            app.add_typer(entry.load(), name=entry.name, no_args_is_help=True)
        except ModuleNotFoundError as error:
            app.add_typer(_missing_group(entry.name, str(error.name)), name=entry.name)


def _missing_group(name: str, module: str) -> typer.Typer:
    group = typer.Typer(help=f"Needs: pip install 'aimass[{name}]'", invoke_without_command=True)

    @group.callback(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def explain() -> None:
        say(f"aimass {name} needs the package {module!r}. Install it with: pip install 'aimass[{name}]'")
        raise typer.Exit(1)

    return group


def main(args: Sequence[str] | None = None, *, session: Session | None = None) -> None:
    """The console script.

    Args:
        args: Default: the process's.
        session: Default: of the profile that is asked for.
    """
    given = sys.argv[1:] if args is None else list(args)
    if given and given[0] in {entry.name for entry in entry_points(group="aimass.cli")} | {"--help"}:
        _add_groups()
    try:
        app(given, obj=session)
    except AimassError as error:
        say(f"[bold red]Error:[/] {plain(error.message)}")
        for detail in error.details:
            words = "" if detail.message == error.message else f": {plain(detail.message)}"
            say(f"  {plain(detail.location)}{words}")
        for note in getattr(error, "__notes__", []):
            say(f"  [dim]{plain(note)}[/]")
        raise SystemExit(_exit_code(error)) from None
    except KeyboardInterrupt:
        say("Interrupted. What was submitted goes on.")
        raise SystemExit(130) from None


def _exit_code(error: AimassError) -> int:
    return next((code for classes, code in _EXIT_CODES if isinstance(error, classes)), 1)
