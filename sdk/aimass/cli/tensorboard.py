"""`aimass tensorboard`."""

import importlib.util
import sys
import tempfile
import time
import webbrowser
from types import ModuleType
from typing import Annotated

import typer

from aimass.cli.output import client_of, say
from aimass.errors import ConnectionFailedError
from aimass.resources.jobs import Job

_REFRESH_SECONDS = 5.0


def tensorboard(
    context: typer.Context,
    job_id: str,
    port: Annotated[int | None, typer.Option(help="Default: 6006, or the next that is free.")] = None,
    is_opened: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
) -> None:
    """Show a job's curves in TensorBoard, on this machine, growing while the job runs. Ctrl-C ends it."""
    if importlib.util.find_spec("tensorboard") is None:
        say("TensorBoard is not installed. Install it with: pip install 'aimass\\[tensorboard]'")
        raise typer.Exit(1)
    job = client_of(context).jobs.get(job_id)
    with tempfile.TemporaryDirectory(prefix="aimass-tensorboard-") as folder:
        _download(job, folder)
        url = _serve(folder, port)
        say(f"TensorBoard: {url}    Ctrl-C ends it.")
        if is_opened:
            webbrowser.open(url)
        _follow(job, folder)


def _serve(folder: str, port: int | None) -> str:
    from tensorboard import program

    # NOTE: TensorBoard looks for this module, and imports TensorFlow where it is not found: seconds for nothing.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
    board = program.TensorBoard()
    # NOTE: the quick loader is a process of its own that outlives a killed one.
    board.configure(logdir=folder, host="127.0.0.1", port=port, load_fast="false", reload_interval=_REFRESH_SECONDS)
    try:
        return str(board.launch())
    except program.TensorBoardServerException as error:
        say(f"[bold red]Error:[/] {error}")
        raise typer.Exit(1) from error


def _follow(job: Job, folder: str) -> None:
    """New points until the job has ended, and then nothing but serving."""
    while True:
        time.sleep(_REFRESH_SECONDS)
        if job.status.is_terminal:
            continue
        job = job.refresh()
        _download(job, folder)


def _download(job: Job, folder: str) -> None:
    try:
        job.download_tensorboard(folder)
    except ConnectionFailedError as error:
        say(f"{error.message} It is tried again.")
