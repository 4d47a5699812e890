"""The one process of the local cloud: `python -m aimass_local.server`.

MiniStack and our own services run in one event loop behind the gateway, on one loopback port. The process holds the
lock of its data directory for as long as it lives.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.utils import LifespanFailureError

from aimass_local import lock, ports
from aimass_local.environment import DEFAULT_DATA_DIR, DEFAULT_PORT, DataDirectory, applied, server_environment

_logger = logging.getLogger("aimass_local.server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is stopped; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aimass_local.server", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--data-dir", type=Path, default=Path(DEFAULT_DATA_DIR))
    parser.add_argument("--vcpus", type=int)
    options = parser.parse_args(arguments)
    data = DataDirectory.at(options.data_dir)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        data.create()
        with lock.hold(data.lock_path, lock.Holder.this_process(port=options.port)):
            listener = ports.listen(options.port)
            shutil.rmtree(data.scratch, ignore_errors=True)
            data.create()
            # Before anything reads the developer's.
            with applied(server_environment(data, port=options.port)):
                return asyncio.run(_serve(data, port=options.port, vcpus=options.vcpus, listener=listener))
    except (lock.LockedError, ports.PortTakenError, LifespanFailureError, OSError) as error:
        sys.stderr.write(f"aimass local: {error}\n")
        return 1


async def _serve(data: DataDirectory, *, port: int, vcpus: int | None, listener: socket.socket) -> int:
    # NOTE: the emulator reads its settings from the environment when it is imported.
    from aimass_local.assembly import LocalCloud

    cloud = LocalCloud(data, port=port, vcpus=vcpus)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopping.set)
    async with cloud:
        await serve(cloud.gateway, _hypercorn_config(listener), shutdown_trigger=stopping.wait)
    return 0


def _hypercorn_config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = None
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    config.h11_max_incomplete_size = 64 * 1024
    return config


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
