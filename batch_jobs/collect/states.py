"""What a run leaves for the next one, stream by stream: each part is written with the data that it speaks of."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from aimass_core.domain.collector_messages import State
from aimass_core.domain.common import JsonScalar
from aimass_core.domain.sources import SourceState
from batch_jobs.collect.reading import WholeFile

CURSOR = "cursor"
FILES, SEEN, SINGER, AIRBYTE = "files", "seen", "singer", "airbyte"
_BOOKMARKS = "bookmarks"


def mark_of(name: str) -> str:
    """A short word for a long name: a state is one row of the registry."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:9]).decode()


@dataclass(slots=True)
class NewState:
    """What the run has learned, and not written yet."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    of_all: Any = None
    of_streams: dict[str, Any] = field(default_factory=dict)

    def take(self, state: State) -> None:
        """The collector's last word on where to go on."""
        if state.stream is None:
            self.of_all = state.value
        else:
            self.of_streams[state.stream] = state.value

    def take_file(self, item: WholeFile) -> None:
        """A file that was read."""
        self.files.setdefault(item.stream, {})[mark_of(item.name)] = item.change

    def with_stream(
        self, former: SourceState, stream: str, *, highest: JsonScalar, replaces_files: bool
    ) -> SourceState:
        """The state once this stream's data is a version. Of a state of all streams only the part that names this one
        moves (Singer's bookmarks)."""
        streams = dict(former.streams)
        if highest is not None:
            streams[stream] = {**streams.get(stream, {}), CURSOR: highest}
        collector: dict[str, Any] = dict(former.collector)
        if stream in self.files:
            known = collector.get(FILES, {})
            before = {} if replaces_files else known.get(stream, {})
            collector[FILES] = {**known, stream: {**before, **self.files[stream]}}
        if stream in self.of_streams:
            collector |= self._of_stream(collector, stream)
        if self.of_all is not None:
            bookmarked = _with_bookmark(collector.get(SINGER), self.of_all, stream)
            collector |= {} if bookmarked is None else {SINGER: bookmarked}
        return SourceState(streams=streams, collector=collector)

    def complete(self, former: SourceState) -> SourceState:
        """The state once the data of all streams are versions."""
        collector: dict[str, Any] = dict(former.collector)
        for stream in self.of_streams:
            collector |= self._of_stream(collector, stream)
        if self.of_all is not None:
            collector[SINGER] = self.of_all
        return former.model_copy(update={"collector": collector})

    def _of_stream(self, collector: dict[str, Any], stream: str) -> dict[str, Any]:
        value = self.of_streams[stream]
        if isinstance(value, dict) and set(value) == {SEEN}:
            return value
        return {AIRBYTE: {**collector.get(AIRBYTE, {}), stream: value}}


def without_streams(state: SourceState, streams: list[str] | None) -> SourceState:
    """For a run that begins anew: without what is known of these streams, or of all."""
    if streams is None:
        return SourceState()
    collector: dict[str, Any] = dict(state.collector)
    for part in (FILES, AIRBYTE):
        if isinstance(collector.get(part), dict):
            collector[part] = {name: value for name, value in collector[part].items() if name not in streams}
    collector.pop(SEEN, None)
    singer = collector.get(SINGER)
    if isinstance(singer, dict) and isinstance(singer.get(_BOOKMARKS), dict):
        kept = {name: value for name, value in singer[_BOOKMARKS].items() if name not in streams}
        collector[SINGER] = {**singer, _BOOKMARKS: kept}
    return SourceState(
        streams={name: value for name, value in state.streams.items() if name not in streams}, collector=collector
    )


def _with_bookmark(former: Any, latter: Any, stream: str) -> Any:
    if not isinstance(latter, dict) or not isinstance(latter.get(_BOOKMARKS), dict):
        return former
    if stream not in latter[_BOOKMARKS]:
        return former
    base = former if isinstance(former, dict) else {}
    found = base.get(_BOOKMARKS)
    bookmarks = found if isinstance(found, dict) else {}
    return {**base, _BOOKMARKS: {**bookmarks, stream: latter[_BOOKMARKS][stream]}}
