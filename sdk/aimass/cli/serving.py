"""`aimass serve`: models of the platform, answered by this machine."""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from aimass.cli.models import find_version
from aimass.cli.output import say


def serve(
    context: typer.Context,
    models: Annotated[list[str], typer.Argument(help="`name` or `name@version`, several of them.")],
    port: Annotated[int, typer.Option(help="Of HTTP.")] = 8080,
    grpc_port: Annotated[int | None, typer.Option(help="Default: no gRPC.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port; default: the processors.")] = None,
    transform: Annotated[
        list[str] | None, typer.Option(help="Of an installed package: `name` around all models, or `model=name`.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Keep the models here; default: until it ends.")] = None,
) -> None:
    """Download versions and serve them here, without the platform, until Ctrl-C: the server of the containers."""
    if any(importlib.util.find_spec(name) is None for name in ("batch_jobs", "uvicorn", "onnxruntime")):
        say("The server is not installed. Install it with: pip install 'aimass\\[serve]'")
        raise typer.Exit(1)
    with tempfile.TemporaryDirectory(prefix="aimass-models-") as folder:
        kept = to or Path(folder)
        for model in models:
            version = find_version(context, model)
            version.save(kept)
            say(f"{version.ref}: http://127.0.0.1:{port}/v2/models/{version.model_name}")
        options = ["--models", str(kept), "--port", str(port)]
        options += [] if grpc_port is None else ["--grpc-port", str(grpc_port)]
        options += [] if workers is None else ["--workers", str(workers)]
        options += [part for each in transform or [] for part in ("--transform", each)]
        code = _run([sys.executable, "-m", "batch_jobs", "serve", "--host", "127.0.0.1", *options])
    raise typer.Exit(code)


def _run(command: list[str]) -> int:
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The terminal sent it to the server too, which answers what it has in hand.
                continue
