"""The emulator (MiniStack), every patch of it and every hook into it: nothing else names one of its private parts.

MiniStack is imported as a library and pinned to one version. Each patch first checks that what it replaces is what it
expects, and raises `EmulatorChangedError` otherwise, so that an upgrade fails at start and not in some far-off request.
The environment variables of `environment.server_environment` have to be set before this package is imported.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from ministack.app import app as application

from aimass_local.emulator.contract import PINNED_VERSION, EmulatorChangedError, require
from aimass_local.emulator.functions import patch_functions, stop_workers
from aimass_local.emulator.hooks import emit_event, put_log_events, register_cloudformation, register_step_functions
from aimass_local.emulator.items import patch_items
from aimass_local.emulator.journaling import patch_journaling
from aimass_local.emulator.log_queries import patch_log_queries
from aimass_local.emulator.metrics import patch_metrics
from aimass_local.emulator.objects import patch_objects
from aimass_local.emulator.queries import patch_queries
from aimass_local.emulator.states import EmulatorState, patch_persistence
from aimass_local.emulator.templates import patch_templates
from aimass_local.journal import Journal

__all__ = [
    "PINNED_VERSION",
    "EmulatorChangedError",
    "EmulatorState",
    "application",
    "emit_event",
    "install_patches",
    "put_log_events",
    "register_cloudformation",
    "register_step_functions",
    "stop_workers",
]


def install_patches(*, max_workers_per_function: int, multipart_path: Path, journal: Journal) -> EmulatorState:
    """Applies all patches, and gives what the state saver saves. Call once per process, before the first request.

    Args:
        max_workers_per_function: processes that run one function at the same time.
        multipart_path: folder that keeps the parts of unfinished uploads.
        journal: takes each change of items and messages before it is acknowledged.

    Raises:
        EmulatorChangedError: a patched name or text is not as expected.
    """
    require(version("ministack") == PINNED_VERSION, f"MiniStack {version('ministack')} instead of {PINNED_VERSION}")
    patch_functions(max_workers_per_function=max_workers_per_function)
    patch_metrics()
    patch_templates()
    patch_queries()
    patch_log_queries()
    patch_items()
    recorder = patch_journaling(journal)
    patch_persistence(recorder)
    patch_objects(multipart_path)
    return EmulatorState(recorder)
