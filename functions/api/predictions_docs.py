"""Documentation of the operations that the predictions function serves."""

from typing import Any


def add_predictions(document: dict[str, Any]) -> None:
    """Adds the paths."""
