"""The emulator, imported and patched once per process."""

from __future__ import annotations

import pytest

from aimass_local import emulator
from aimass_local.emulator import EmulatorState
from aimass_local.journal import Journal


@pytest.fixture(scope="session")
def emulator_state(tmp_path_factory: pytest.TempPathFactory) -> EmulatorState:
    return emulator.install_patches(
        max_workers_per_function=2,
        multipart_path=tmp_path_factory.mktemp("multipart"),
        journal=Journal(tmp_path_factory.mktemp("journal")),
    )
