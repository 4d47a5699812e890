"""Leads each file to the reader of its format; unpacks what is compressed."""

from collections.abc import Iterator
from pathlib import Path

from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.services.ingest import text_tables
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.sniffing import Container, sniff
from aimass_core.services.ingest.spools import SpooledFile


def spool(
    path: Path, work_path: Path, *, display_name: str, policy: DatasetPolicy, quarantine: Quarantine, limits: Limits
) -> Iterator[SpooledFile]:
    """Reads one landed file into one or more spools below `work_path`. Raises FileRejectedError."""
    container = sniff(path)
    if container is Container.DELIMITED:
        yield text_tables.spool(
            path, work_path, display_name=display_name, policy=policy, quarantine=quarantine, limits=limits
        )
