"""How a job tells how far it is. Calls are cheap: they may come many times a second and are thinned out here."""

from collections.abc import Mapping
from typing import Protocol


class Reporter(Protocol):
    """Where progress and metrics go."""

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """The job is in `phase`, having done `step` of `num_steps`."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Points of curves, named like `train/log_loss` and `validation/roc_auc`."""

    def message(self, text: str) -> None:
        """A line that the user should see: a warning, a decision that was made for them."""
