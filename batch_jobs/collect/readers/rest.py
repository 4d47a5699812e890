"""Reads a REST API: its resources one after another, children once for each record of their parent."""

import email.message
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aimass_core.domain.collector_messages import Record, StreamSchema
from aimass_core.domain.common import JsonScalar
from aimass_core.domain.rest_collectors import PARENT, START, Endpoint, Resolve, Resource, RestConfig
from aimass_core.domain.sources import Cursor
from aimass_core.errors import InvalidDataError
from aimass_core.services.flattening import find
from batch_jobs.collect.errors import AuthFailedError, LoopError
from batch_jobs.collect.network import Answer
from batch_jobs.collect.readers.rest_auth import Credentials
from batch_jobs.collect.readers.rest_pages import Page, Pages, find_records
from batch_jobs.collect.reading import Item, Reading

_MAX_SAME_PAGES = 2


def cursors(config: RestConfig) -> dict[str, Cursor]:
    """The cursors that resources name for themselves."""
    found = {}
    for resource in config.resources:
        incremental = resource.endpoint.incremental or config.resource_defaults.incremental
        if incremental is not None and incremental.cursor_path is not None:
            found[resource.name] = Cursor(path=incremental.cursor_path, initial=incremental.initial_value)
    return found


def read(config: RestConfig, reading: Reading) -> Iterator[Item]:
    """The records of all resources that are asked for."""
    yield from _Api(config, reading).read()


@dataclass(slots=True)
class _Api:
    config: RestConfig
    reading: Reading
    credentials: Credentials = field(init=False)
    _spools: dict[str, Path] = field(default_factory=dict, init=False)
    _needed: dict[str, set[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.config.client.auth, self.reading)

    def read(self) -> Iterator[Item]:
        wanted = self._find_wanted()
        for resource in self.config.resources:
            for parent, fields in resource.parents().items():
                self._needed.setdefault(parent, set()).update({*fields, *resource.include_from_parent})
        for resource in self.config.resources:
            if resource.name in wanted:
                yield from self._read_resource(resource)

    def _find_wanted(self) -> set[str]:
        """The resources that are asked for, and those that they depend on."""
        wanted: set[str] = set()
        for resource in reversed(self.config.resources):
            if resource.name in wanted or (resource.selected and self.reading.wants(resource.name)):
                wanted |= {resource.name, *resource.parents()}
        return wanted

    def _read_resource(self, resource: Resource) -> Iterator[Item]:
        is_stream = resource.selected and self.reading.wants(resource.name)
        if is_stream and resource.primary_key:
            key = resource.primary_key
            yield StreamSchema(stream=resource.name, primary_key=[key] if isinstance(key, str) else key)
        needed = self._needed.get(resource.name)
        if needed is None:
            for record in self._records(resource):
                yield Record(resource.name, record)
            return
        # NOTE: what children need of their parents waits on the disk, since there may be millions.
        path = self.reading.work_path / f"parents-{len(self._spools)}.jsonl"
        self._spools[resource.name] = path
        with path.open("w", encoding="utf-8") as spool:
            for record in self._records(resource):
                spool.write(json.dumps({name: find(record, name) for name in sorted(needed)}) + "\n")
                if is_stream:
                    yield Record(resource.name, record)

    def _records(self, resource: Resource) -> Iterator[dict[str, Any]]:
        parents = list(resource.parents())
        if not parents:
            yield from self._read_pages(resource, {})
            return
        prefix = f"_{parents[0]}_"
        with self._spools[parents[0]].open(encoding="utf-8") as spool:
            for line in spool:
                parent = json.loads(line)
                included = {f"{prefix}{name}": parent[name] for name in resource.include_from_parent}
                for record in self._read_pages(resource, parent):
                    yield {**record, **included}

    def _read_pages(self, resource: Resource, parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
        endpoint = resource.endpoint
        request = _Request(self.config, endpoint, parent, self.reading.start(resource.name))
        pages = Pages(endpoint.paginator or self.config.resource_defaults.paginator or self.config.client.paginator)
        asked: set[str] = set()
        last, num_same = b"", 0
        while True:
            answer = self._fetch(request, pages)
            digest = hashlib.sha256(answer.body).digest()
            body, records = self._parse(resource, answer)
            num_same = num_same + 1 if records and digest == last else 0
            last = digest
            if num_same >= _MAX_SAME_PAGES:
                raise LoopError(self._explain_loop(resource, answer, f"{num_same + 1} pages in a row are the same"))
            yield from records
            page = Page(
                url=request.url if pages.url is None else pages.url,
                body=body,
                headers=answer.headers,
                num_records=len(records),
            )
            if not pages.move(page):
                return
            place = hashlib.sha256(repr((pages.url, sorted(pages.params.items()))).encode()).hexdigest()
            if place in asked:
                raise LoopError(self._explain_loop(resource, answer, "the next page is one that was read before"))
            asked.add(place)

    def _fetch(self, request: "_Request", pages: Pages) -> Answer:
        """With one refresh of the secrets where they are refused."""
        try:
            return self._send(request, pages)
        except AuthFailedError:
            if not self.credentials.refresh():
                raise
            return self._send(request, pages)

    def _send(self, request: "_Request", pages: Pages) -> Answer:
        url = request.url if pages.url is None else pages.url
        # NOTE: a page's link has the parameters of the first page in it; to another host no secret goes along.
        is_own = pages.url is None or pages.url.split("/")[:3] == request.url.split("/")[:3]
        params = {**(request.params if pages.url is None else {}), **pages.params}
        headers = {name: self.reading.text(value) for name, value in request.headers.items()}
        return self.reading.network.fetch(
            url,
            method=request.method,
            params={**params, **self.credentials.params()} if is_own else params,
            headers={**headers, **self.credentials.headers()} if is_own else {},
            json=request.json,
        )

    def _parse(self, resource: Resource, answer: Answer) -> tuple[Any, list[dict[str, Any]]]:
        try:
            body = _decode(answer)
        except (ValueError, LookupError, RecursionError) as error:
            raise InvalidDataError(
                f"{answer.url} answers no JSON ({answer.headers.get('content-type', 'no content type')[:100]}). Check "
                f"the path of the resource {resource.name!r}."
            ) from error
        selector = resource.endpoint.data_selector or self.config.resource_defaults.data_selector
        records = find_records(body, selector)
        if records is None or not all(isinstance(record, dict) for record in records):
            where = "at its top" if selector is None else f"under {selector!r}"
            raise InvalidDataError(
                f"{answer.url} answers no list of objects {where}. Say where they lie: "
                f"data_selector of the resource {resource.name!r}."
            )
        return body, records

    def _explain_loop(self, resource: Resource, answer: Answer, what: str) -> str:
        return (
            f"The resource {resource.name!r} does not end: {what} ({answer.url}). Nothing of it was kept, and its "
            "cursor has not moved. Check the paginator."
        )


def _decode(answer: Answer) -> Any:
    """What an answer of JSON says; JSON is UTF-8, but where the server names another encoding."""
    if not answer.body.strip():
        return []
    try:
        return json.loads(answer.body)
    except UnicodeDecodeError:
        content_type = email.message.Message()
        content_type["content-type"] = answer.headers.get("content-type", "")
        return json.loads(answer.body.decode(content_type.get_content_charset("utf-8")))


class _Request:
    """A resource's request, with what its placeholders stand for."""

    def __init__(self, config: RestConfig, endpoint: Endpoint, parent: dict[str, Any], start: JsonScalar) -> None:
        self._parent, self._start = parent, start
        defaults = config.resource_defaults
        params = {**defaults.params, **endpoint.params}
        resolved = {name: find(parent, value.field) for name, value in params.items() if isinstance(value, Resolve)}
        path = endpoint.path or defaults.path
        for name, value in resolved.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        path = self._fill(path, is_path=True)
        base = f"{config.client.base_url.rstrip('/')}/{path.lstrip('/')}".rstrip("/")
        self.url = path if path.startswith(("http://", "https://")) else base
        self.method = endpoint.method
        self.headers = {**config.client.headers, **defaults.headers, **endpoint.headers}
        self.params = {
            name: self._fill_value(value) for name, value in params.items() if not isinstance(value, Resolve)
        }
        # A parameter that is only where to begin is left out while there is nowhere to begin.
        self.params = {name: value for name, value in self.params.items() if value is not None}
        incremental = endpoint.incremental or defaults.incremental
        if incremental is not None and incremental.start_param is not None and start is not None:
            self.params[incremental.start_param] = start
        self.json = None if endpoint.json_body is None else self._fill_value(endpoint.json_body)

    def _fill_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._fill_value(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._fill_value(each) for each in value]
        if value == START:
            return self._start
        return self._fill(value) if isinstance(value, str) else value

    def _fill(self, text: str, *, is_path: bool = False) -> str:
        def replace(value: Any) -> str:
            return quote(str(value), safe="") if is_path else str(value)

        text = PARENT.sub(lambda match: replace(find(self._parent, match[2])), text)
        return text.replace(START, replace("" if self._start is None else self._start))
