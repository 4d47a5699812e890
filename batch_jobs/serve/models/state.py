"""What all workers agree on: which models are there, and how they answer. A file at which each looks at each request.

Whoever changes it writes another file in its place: what was answered to the one who asked for a change holds in every
worker from then on.
"""

import fcntl
import mmap
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from aimass_core.domain.common import Contract
from aimass_core.domain.endpoint_settings import EndpointSettings

_COUNTER = struct.Struct("=Q")


class Placed(Contract):
    """A model that somebody loaded or unloaded."""

    path: str | None = Field(default=None, description="Null: in the folder of models.")
    is_loaded: bool = True
    revision: int = Field(default=1, description="Of what lies there: it was looked at again.")


class State(Contract):
    """By the names of models."""

    placed: dict[str, Placed] = {}
    settings: dict[str, EndpointSettings] = {}


class SharedState:
    """The file, and how often it was changed, which is in memory that the workers share. `folder` lives as they do."""

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / "state.json", folder / "lock"
        with (folder / "changes").open("a+b") as file:
            file.truncate(_COUNTER.size)
            self._changes = mmap.mmap(file.fileno(), _COUNTER.size)
        self._known = 0
        self._state = State()

    def read(self) -> State:
        """As it is now. Costs nothing where nothing has changed."""
        (changes,) = _COUNTER.unpack_from(self._changes)
        if changes != self._known:
            self._state, self._known = State.model_validate_json(self._path.read_bytes()), changes
        return self._state

    def change(self, change: Callable[[State], State]) -> State:
        """One change after the other, whichever worker makes it. What `change` raises leaves all as it was."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = change(self.read())
            with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
                file.write(state.model_dump_json().encode())
            Path(file.name).replace(self._path)
            _COUNTER.pack_into(self._changes, 0, self._known + 1)
            return self.read()
