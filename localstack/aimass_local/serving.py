"""Serves one of our applications until the process is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from aimass_local.environment import HOST


async def serve_until_stopped(application: Any, *, port: int, host: str = HOST) -> None:
    """Raises OSError where the address is taken."""
    config = Config()
    config.bind = [f"{host}:{port}"]
    config.accesslog = None
    config.loglevel = "WARNING"
    config.graceful_timeout = 2
    stopping = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    await serve(application, config, shutdown_trigger=stopping.wait)  # type: ignore[arg-type, unused-ignore]
