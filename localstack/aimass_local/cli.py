"""The commands `aimass local up | down | status | key | logs | reset | doctor`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aimass_core.errors import AimassError
from aimass_local import deployment, doctor, lifecycle, logs, profiles
from aimass_local.admin_keys import AdminKey
from aimass_local.environment import DEFAULT_DATA_DIR, DEFAULT_PORT, DataDirectory

NOT_RUNNING_EXIT_CODE = 3

app = typer.Typer(
    help="The local cloud: the whole stack on this machine, with nothing but Python.", no_args_is_help=True
)

DataDir = Annotated[
    Path,
    typer.Option("--data-dir", envvar="AIMASS_DATA_DIR", help="Folder that holds everything the local cloud knows."),
]
Port = Annotated[int, typer.Option("--port", envvar="AIMASS_LOCAL_PORT", min=1, max=65535, help="Port on 127.0.0.1.")]

_UP_ERRORS = (
    lifecycle.LifecycleError,
    deployment.DeploymentError,
    AimassError,
    profiles.ProfileError,
    OSError,
)

_words = Console(stderr=True)
_output = Console()


@app.command()
def up(
    port: Port = DEFAULT_PORT,
    data_dir: DataDir = Path(DEFAULT_DATA_DIR),
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay attached; stop with Ctrl-C.")] = False,
    vcpus: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="What the jobs that run side by side may reserve together; more than the machine has makes them "
            "share it. Default: the machine's. Holds until the local cloud is stopped.",
        ),
    ] = None,
) -> None:
    """Start the local cloud and deploy the stack; safe to repeat."""
    data = DataDirectory.at(data_dir)
    config_path = profiles.resolve_path(os.environ)
    try:
        with _words.status("starting") as status:
            started = lifecycle.up(
                data,
                port=port,
                config_path=config_path,
                foreground=foreground,
                vcpus=vcpus,
                report=status.update,
            )
    except _UP_ERRORS as error:
        raise _fail(str(error)) from error
    if started.was_running:
        _words.print(f"already running, pid {started.running.pid}")
    _output.print(_table_of(started.running))
    if started.first_key:
        _show_key(started.running, started.first_key, config_path)
    elif not started.is_known:
        _words.print(
            f"{config_path} holds no key of this local cloud: `aimass local key` makes another", soft_wrap=True
        )
    if started.process:
        _stay(started.process.pid, data)
        raise typer.Exit(started.process.wait())


@app.command()
def down(data_dir: DataDir = Path(DEFAULT_DATA_DIR)) -> None:
    """Stop the local cloud; everything is kept."""
    pid = lifecycle.down(DataDirectory.at(data_dir))
    _words.print(f"stopped, pid {pid}" if pid else "not running")


@app.command()
def status(data_dir: DataDir = Path(DEFAULT_DATA_DIR)) -> None:
    """Show where the local cloud is; exit code 3 when it is not running."""
    running = _find_running(DataDirectory.at(data_dir))
    if not lifecycle.is_healthy(running):
        raise _fail(f"process {running.pid} runs but does not answer on port {running.port}: see `aimass local logs`")
    _output.print(_table_of(running))


@app.command(name="key")
def make_key(data_dir: DataDir = Path(DEFAULT_DATA_DIR)) -> None:
    """Make another admin key, where the first one is lost, and keep it as the SDK's profile."""
    config_path = profiles.resolve_path(os.environ)
    running = _find_running(DataDirectory.at(data_dir))
    try:
        key = lifecycle.make_key(running, config_path=config_path)
    except (AimassError, profiles.ProfileError) as error:
        raise _fail(str(error)) from error
    _show_key(running, key, config_path)


@app.command(name="logs")
def show_logs(
    data_dir: DataDir = Path(DEFAULT_DATA_DIR),
    function: Annotated[
        str | None, typer.Option(help="A function, such as `api`; without it the server's log.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 100,
) -> None:
    """Show the log of the server, or of one function."""
    data = DataDirectory.at(data_dir)
    try:
        if function is None:
            source = logs.read_server_log(data.log_path, num_lines=lines, follow=follow)
        else:
            source = logs.read_function_log(function, port=_find_running(data).port, num_lines=lines, follow=follow)
        for line in source:
            _output.print(line, markup=False, highlight=False, soft_wrap=True)
    except logs.LogNotFoundError as error:
        raise _fail(str(error)) from error


@app.command()
def reset(
    data_dir: DataDir = Path(DEFAULT_DATA_DIR),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the local cloud and delete everything it knows."""
    data = DataDirectory.at(data_dir)
    if not data.root.exists():
        _words.print(f"nothing to delete: {data.root} does not exist")
        return
    if not yes:
        typer.confirm(f"Delete {data.root} with all data sets, models and keys?", abort=True)
    try:
        lifecycle.reset(data)
    except (lifecycle.LifecycleError, OSError) as error:
        raise _fail(str(error)) from error
    _words.print(f"deleted {data.root}")


@app.command(name="doctor")
def examine(port: Port = DEFAULT_PORT, data_dir: DataDir = Path(DEFAULT_DATA_DIR)) -> None:
    """Check this machine, and say how to mend what is missing."""
    checks = doctor.diagnose(DataDirectory.at(data_dir), port=port)
    table = Table("check", "", "found", "what to do")
    for check in checks:
        mark = "[green]ok[/green]" if check.is_well else "[red]no[/red]"
        table.add_row(check.name, mark, check.found, "" if check.is_well else check.fix)
    _output.print(table)
    if not all(check.is_well for check in checks):
        raise typer.Exit(1)


def _find_running(data: DataDirectory) -> lifecycle.Running:
    running = lifecycle.find(data)
    if running is None:
        raise _fail("not running: `aimass local up` starts it", code=NOT_RUNNING_EXIT_CODE)
    return running


def _table_of(running: lifecycle.Running) -> Table:
    table = Table(show_header=False)
    table.add_row("console", f"{running.url}/console/ (signed in: aimass console; built by make console)")
    table.add_row("API", f"{running.url}/v1")
    table.add_row("documentation", f"{running.url}/v1/docs")
    table.add_row("predictions", f"{running.url}/v2")
    table.add_row("AWS endpoint", running.url)
    table.add_row("drop folder", running.drop_folder)
    table.add_row("data", str(running.data.root))
    table.add_row("log", str(running.data.log_path))
    table.add_row("pid", str(running.pid))
    return table


def _show_key(running: lifecycle.Running, key: AdminKey, config_path: Path) -> None:
    """Shows the key whatever happens to the file: it cannot be had again."""
    try:
        lifecycle.remember(running, key, config_path=config_path)
        place = f"saved as profile `{profiles.NAME}` in {config_path}"
    except profiles.ProfileError as error:
        place = f"NOT saved: {error}"
    _words.print(f"Admin key of workspace {key.workspace}, shown this once and {place}:", markup=False, soft_wrap=True)
    _output.print(key.secret, markup=False, highlight=False, soft_wrap=True)


def _stay(pid: int, data: DataDirectory) -> None:
    """Hands Ctrl-C and SIGTERM on to the server, which saves its state and ends."""
    _words.print(f"running in the foreground, pid {pid}: Ctrl-C stops it")

    def stop(_signal: int, _frame: object) -> None:
        lifecycle.down(data)

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, stop)


def _fail(message: str, *, code: int = 1) -> typer.Exit:
    _words.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code)
