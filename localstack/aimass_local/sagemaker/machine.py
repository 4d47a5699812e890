"""What the containers of training jobs and endpoints run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass_local.containers import Image, PutLogEvents, Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`slots` are those of training jobs; endpoints run beside them."""

    images: Mapping[str, Image]
    environment: Mapping[str, str]
    run_folder: Path
    s3: Any
    put_log_events: PutLogEvents
    clock: Callable[[], float]
    stop_grace_seconds: float
    max_log_bytes: int
    slots: asyncio.Semaphore
    watchdog: Watchdog = field(default_factory=Watchdog)
