"""Where an export or an import works."""

from dataclasses import dataclass

from aimass_core.ports import Ports
from batch_jobs.transfer.trials import TrialStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A workspace, and what it is stored in."""

    ports: Ports
    trials: TrialStore
    workspace_id: str
