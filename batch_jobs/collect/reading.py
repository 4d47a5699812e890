"""What every reader gets, and what it gives: messages, in the order in which they may be relied upon."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass_core.domain.collector_messages import Message
from aimass_core.domain.common import JsonScalar
from aimass_core.domain.rest_collectors import SecretRef
from aimass_core.errors import InvalidRequestError
from aimass_core.services.ingest.conversion import LocalFile
from batch_jobs.collect.network import Network

ReadSecret = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFile:
    """A file of a stream. `change` is what tells whether it has changed when it is met again."""

    stream: str
    file: LocalFile
    name: str
    change: str


Item = Message | WholeFile


@dataclass(slots=True, kw_only=True)
class Reading:
    """One run, as a reader sees it.

    Attributes:
        streams: those that are asked for; None: all.
        start: where a stream's cursor stands.
        state: what the collector left the last time.
        secret: reads a secret of the source; `fresh` reads it anew, in case it was changed meanwhile.
        is_partial: whether files that have not changed may be left out; else all are read if one has changed.
    """

    network: Network
    work_path: Path
    secret: ReadSecret
    start: Callable[[str], JsonScalar] = lambda _stream: None
    state: Mapping[str, Any] = field(default_factory=dict)
    streams: frozenset[str] | None = None
    is_partial: bool = True
    note: Callable[[str], None] = lambda _text: None

    def wants(self, stream: str) -> bool:
        """Whether the run is about that stream."""
        return self.streams is None or stream in self.streams

    def text(self, value: str | SecretRef, *, fresh: bool = False) -> str:
        """A text of the configuration, or the secret that is meant."""
        return self.secret(value.secret, fresh=fresh) if isinstance(value, SecretRef) else value

    def resolve(self, config: Any) -> Any:
        """A configuration with its secrets in place of `{"secret": NAME}`."""
        if isinstance(config, dict):
            if set(config) == {"secret"}:
                if not isinstance(config["secret"], str):
                    raise InvalidRequestError(f"config: {config!r} names no secret. Write {{'secret': 'NAME'}}.")
                return self.secret(config["secret"])
            return {name: self.resolve(value) for name, value in config.items()}
        return [self.resolve(value) for value in config] if isinstance(config, list) else config


Read = Callable[[Reading], Iterator[Item]]
