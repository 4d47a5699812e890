"""What the patches expect of the emulator, and what happens when it is something else."""

from __future__ import annotations

PINNED_VERSION = "1.5.33"


class EmulatorChangedError(Exception):
    """The emulator is not the version that the patches were written for."""


def require(condition: bool, what: str) -> None:
    """Raises:
    EmulatorChangedError: the condition does not hold; `what` says which expectation it was.
    """
    if not condition:
        raise EmulatorChangedError(
            f"{what}. The local cloud needs ministack=={PINNED_VERSION}: pip install ministack[full]=={PINNED_VERSION}"
        )
