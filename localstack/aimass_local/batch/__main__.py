"""AWS Batch alone, beside another AWS emulator: `python -m aimass_local.batch --port 4588`.

Point clients at it with `AWS_ENDPOINT_URL_BATCH=http://127.0.0.1:4588`. Jobs see this process's environment, so that
its `AWS_ENDPOINT_URL` is theirs. Logs and events go to standard output as JSON lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from aimass_local.batch import BatchService, Image
from aimass_local.batch.wire import Document
from aimass_local.documents import StateLockedError
from aimass_local.serving import serve_until_stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aimass_local.batch", description=__doc__)
    parser.add_argument("--port", type=int, default=4588)
    parser.add_argument("--data-dir", type=Path, default=Path(".aimass/batch"))
    parser.add_argument("--vcpus", type=float, help="capacity; by default the machine's")
    parser.add_argument("--memory-mib", type=int, help="capacity; by default the machine's")
    parser.add_argument("--gpus", default="", help="ids of the GPUs to give out, such as 0,1")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    service = BatchService(
        options.data_dir,
        images={"*": Image(python=Path(sys.executable), cwd=Path.cwd())},
        environment=os.environ,
        vcpus=options.vcpus,
        memory_mib=options.memory_mib,
        gpus=[gpu for gpu in options.gpus.split(",") if gpu],
        emit_event=_print_event,
        put_log_events=_print_log_events,
    )
    try:
        asyncio.run(_serve(service, port=options.port))
    except (StateLockedError, OSError) as error:
        sys.stderr.write(f"aimass local batch: {error}\n")
        return 1
    return 0


async def _serve(service: BatchService, *, port: int) -> None:
    await service.start()
    try:
        await serve_until_stopped(service, port=port)
    finally:
        await service.close()


def _print_event(event: Document) -> None:
    _print({"event": event})


def _print_log_events(group: str, stream: str, log_events: list[Document]) -> None:
    _print({"group": group, "stream": stream, "events": log_events})


def _print(document: Document) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
