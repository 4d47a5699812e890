"""Reads RSS and Atom. A feed shows its last entries again and again: those that were read are left out."""

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import feedparser

from aimass_core.domain.collector_messages import Record, State, StreamSchema
from aimass_core.domain.collectors import FeedCollector
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.collect.reading import Item, Reading
from batch_jobs.collect.states import SEEN

_TYPES = dict.fromkeys(("id", "title", "link", "author", "summary", "content", "feed"), ColumnType.STRING)
_TIMES = dict.fromkeys(("published", "updated"), ColumnType.DATETIME)


def read(collector: FeedCollector, reading: Reading) -> Iterator[Item]:
    """Entries that are new, or were updated since the run before."""
    known = reading.state.get(SEEN, {})
    known = known if isinstance(known, dict) else {}
    seen: dict[str, list[str]] = {}
    yield StreamSchema(stream=collector.stream, types=_TYPES | _TIMES, primary_key=["id"])
    for url in collector.urls:
        answer = reading.network.fetch(url)
        feed = feedparser.parse(answer.body, response_headers={"content-location": answer.url})
        if not feed.version and not feed.entries:
            raise InvalidDataError(f"{answer.url} is no RSS or Atom feed. Check the address.")
        before, marks = set(known.get(url, ())), []
        for entry in feed.entries:
            record = _to_record(entry, feed=answer.url)
            mark = f"{record['id']} {record['updated'] or record['published'] or ''}".strip()
            marks.append(mark)
            if mark not in before:
                yield Record(collector.stream, record)
        seen[url] = marks
    yield State(value={SEEN: seen}, stream=collector.stream)


def _to_record(entry: Any, *, feed: str) -> dict[str, Any]:
    contents = [each.get("value", "") for each in entry.get("content", [])]
    return {
        "id": entry.get("id") or entry.get("link") or entry.get("title") or "",
        "title": entry.get("title"),
        "link": entry.get("link"),
        "published": _to_time(entry.get("published_parsed")),
        "updated": _to_time(dict.get(entry, "updated_parsed")),
        "author": entry.get("author"),
        "summary": entry.get("summary"),
        "content": "\n".join(contents) or None,
        "tags": [tag.get("term") for tag in entry.get("tags", []) if tag.get("term")] or None,
        "feed": feed,
    }


def _to_time(parsed: Any) -> str | None:
    if parsed is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None
