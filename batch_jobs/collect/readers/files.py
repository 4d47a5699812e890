"""Reads files over HTTPS and from a bucket. A file that is as it was is left out."""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aimass_core.domain.collectors import FilesCollector, S3Collector
from aimass_core.errors import InvalidDataError
from aimass_core.ports import BlobStore
from aimass_core.services.ingest.conversion import LocalFile
from aimass_core.services.ingest.writing import hash_file
from batch_jobs.collect.reading import Item, Reading, WholeFile
from batch_jobs.collect.states import FILES, mark_of

_MAX_FILES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that is there. `change` is None where only its content can tell whether it has changed."""

    name: str
    change: str | None
    fetch: Callable[[Path], str | None]


def read_urls(collector: FilesCollector, reading: Reading) -> Iterator[Item]:
    """Files over HTTPS. What a server knows to be as it was is not sent again (ETag)."""
    known = _known(reading, collector.stream)
    headers = {name: reading.text(value) for name, value in collector.headers.items()}

    def to_found(url: str) -> Found:
        tag = known.get(mark_of(url), "")
        asked = {"if-none-match": tag} if reading.is_partial and tag.startswith(('"', "W/")) else {}

        def fetch(path: Path) -> str | None:
            answer = reading.network.download(url, path, headers={**headers, **asked})
            if answer is None:
                return None
            return answer.headers.get("etag") or hash_file(path)

        return Found(name=url, change=None, fetch=fetch)

    yield from read_found(reading, collector.stream, [to_found(url) for url in collector.urls])


def read_bucket(collector: S3Collector, bucket: BlobStore, reading: Reading) -> Iterator[Item]:
    """Objects under a prefix."""

    def to_found(key: str, etag: str) -> Found:
        def fetch(path: Path) -> str:
            bucket.download(key, path)
            return mark_of(etag)

        return Found(name=key, change=mark_of(etag), fetch=fetch)

    found = [to_found(blob.key, blob.etag) for blob in bucket.list(collector.prefix) if blob.num_bytes]
    yield from read_found(reading, collector.stream, found)


def _known(reading: Reading, stream: str) -> dict[str, str]:
    """What the run before has read: what tells a change, by the mark of the file's name."""
    found = reading.state.get(FILES, {})
    return dict(found.get(stream, {})) if isinstance(found, dict) else {}


def read_found(reading: Reading, stream: str, found: list[Found]) -> Iterator[Item]:
    """Those of the files that have changed, or all of them where one has and the whole is wanted."""
    if len(found) > _MAX_FILES:
        raise InvalidDataError(f"There are {len(found):,} files; at most {_MAX_FILES:,} are read. Narrow the prefix.")
    known = _known(reading, stream)

    def is_known(file: Found, change: str | None) -> bool:
        return change is not None and known.get(mark_of(file.name)) == change

    are_all_there = reading.is_partial or len(found) == len(known)
    if are_all_there and all(is_known(file, file.change) for file in found):
        return
    fetched: list[tuple[Found, Path, str]] = []
    for index, file in enumerate(found):
        if reading.is_partial and is_known(file, file.change):
            continue
        path = reading.work_path / f"{_to_word(stream)}-{index}"
        change = file.fetch(path)
        if change is None or (reading.is_partial and is_known(file, change)):
            path.unlink(missing_ok=True)
        else:
            fetched.append((file, path, change))
    if are_all_there and all(is_known(file, change) for file, _, change in fetched):
        return
    for file, path, change in fetched:
        local = LocalFile(path=path, display_name=_display(file.name))
        yield WholeFile(stream=stream, file=local, name=file.name, change=change)


def _to_word(stream: str) -> str:
    """A name for files of a stream on the local disk."""
    return "".join(letter if letter.isalnum() else "-" for letter in stream)[:60]


def _display(name: str) -> str:
    """Neither an address's query nor its folders: they may say too much."""
    return unquote(posixpath.basename(urlsplit(name).path))[:200] or "file"
