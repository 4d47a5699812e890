"""The command line `python -m batch_jobs serve`, and what SageMaker's variables say instead."""

import argparse
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from batch_jobs.runtime import resources
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.serve.application import GRACE_SECONDS, Application
from batch_jobs.serve.models import transforms
from batch_jobs.serve.options import Options

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str], variables: Mapping[str, str] = os.environ) -> int:
    """Serves until it is told to end. Returns the exit code."""
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    with tempfile.TemporaryDirectory(prefix="aimass-serve-") as folder:
        options = read_options(arguments, variables, state=Path(folder))
        if not options.models.is_dir():
            _log.error("the folder of models %s is not there", options.models)
            return ExitCode.USER_ERROR
        return _serve(options)


def read_options(arguments: Sequence[str], variables: Mapping[str, str], *, state: Path) -> Options:
    """An argument holds before SageMaker's variables, these before a default. Ends the process with usage (64)."""
    base = Path(variables.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    is_multi_model = variables.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"
    is_sagemaker = "SAGEMAKER_BIND_TO_PORT" in variables or base.is_dir()
    num_cpus = resources.count_cpus(variables)
    parser = argparse.ArgumentParser(prog="python -m batch_jobs serve", description=__doc__)
    parser.add_argument("--models", type=Path, default=base / ("models" if is_multi_model else "model"))
    parser.add_argument("--name", default=None, help="Of the model, where --models is one model's folder.")
    parser.add_argument("--host", default="0.0.0.0" if is_sagemaker else "127.0.0.1")  # noqa: S104 - as SageMaker wants
    parser.add_argument("--port", type=int, default=int(variables.get("SAGEMAKER_BIND_TO_PORT", "8080")))
    parser.add_argument("--grpc-port", type=int, default=None, help="Default: no gRPC.")
    parser.add_argument("--workers", type=int, default=num_cpus, help="Processes that share the port.")
    parser.add_argument("--threads", type=int, default=1, help="Of one run of a model.")
    parser.add_argument("--cache-mib", type=int, default=512, help="Of models that a worker holds at once.")
    parser.add_argument("--timeout-seconds", type=float, default=60.0, help="Of one request.")
    parser.add_argument(
        "--transform",
        action="append",
        default=variables.get("AIMASS_TRANSFORMS", "").split(),
        metavar="[MODEL=]NAME",
        help="Of an installed package, around one model or all. Also AIMASS_TRANSFORMS, with spaces between.",
    )
    given = parser.parse_args(list(arguments))
    models = given.models.absolute()
    return Options(
        models=models,
        name=given.name or models.name,
        state=state,
        host=given.host,
        port=given.port,
        grpc_port=given.grpc_port,
        num_workers=max(given.workers, 1),
        num_threads=max(given.threads, 1),
        cache_bytes=given.cache_mib * 1024**2,
        timeout_seconds=given.timeout_seconds,
        transforms=_read_transforms(given.transform, parser),
        is_multi_model=is_multi_model,
    )


def _read_transforms(given: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        model, _, name = text.rpartition("=")
        if name not in transforms.installed():
            known = ", ".join(transforms.installed()) or "none"
            parser.error(f"there is no transform {name!r}: install the package that has it. Installed are: {known}")
        found[model] = name
    return found


def _serve(options: Options) -> int:
    config = uvicorn.Config(
        Application(options),
        host=options.host,
        port=options.port,
        workers=options.num_workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if options.num_workers == 1:
        # NOTE: uvicorn raises the signal again when it has ended as it was told to: that is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        uvicorn.Server(config).run()
        return ExitCode.SUCCESS
    Multiprocess(config, sockets=[config.bind_socket()]).run()
    return ExitCode.SUCCESS
