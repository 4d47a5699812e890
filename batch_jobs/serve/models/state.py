"""What all workers agree on: which models are there, and how they answer. A file at which each looks at each request.

Whoever changes it writes another file in its place: what was answered to the one who asked for a change holds in every
worker from then on.
"""

import fcntl
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from aimass_core.domain.common import Contract, Request


class Settings(Request):
    """What can be changed of a model while it answers; it holds for the next request."""

    max_rows: int = Field(default=64, ge=1, le=10_000, description="Of requests that are answered together.")
    max_wait_ms: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        allow_inf_nan=False,
        description="How long the first waits for others. 0: what came while the model was busy is answered together.",
    )


class Placed(Contract):
    """A model that somebody loaded or unloaded."""

    path: str | None = Field(default=None, description="Null: in the folder of models.")
    is_loaded: bool = True
    revision: int = Field(default=1, description="Of what lies there: it was looked at again.")


class State(Contract):
    """By the names of models."""

    placed: dict[str, Placed] = {}
    settings: dict[str, Settings] = {}


class SharedState:
    """The file. `folder` lives as long as the workers."""

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / "state.json", folder / "lock"
        self._known: tuple[int, int] | None = None
        self._state = State()

    def read(self) -> State:
        """As it is now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._state
        key = (found.st_ino, found.st_mtime_ns)
        if key != self._known:
            self._state, self._known = State.model_validate_json(self._path.read_bytes()), key
        return self._state

    def change(self, change: Callable[[State], State]) -> State:
        """One change after the other, whichever worker makes it. What `change` raises leaves all as it was."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = change(self.read())
            with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(state.model_dump_json().encode())
            Path(file.name).replace(self._path)
        return self.read()
