"""The next page of a resource, by each of the ways in which APIs tell it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from aimass_core.domain.rest_collectors import (
    Automatic,
    CursorPages,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    Paginator,
)
from aimass_core.errors import InvalidDataError
from aimass_core.services.flattening import find

_LINK = re.compile(r'<([^>]*)>\s*((?:;[^,;"]*(?:"[^"]*")?[^,;]*)*)')
_REL = re.compile(r';\s*rel\s*=\s*"?([^";]+)"?', re.IGNORECASE)
_USUAL_LINKS = ("next", "links.next", "links.next.href", "_links.next.href", "meta.next", "paging.next", "info.next")
_USUAL_LISTS = ("data", "results", "items", "records", "value", "content", "entries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    url: str
    body: Any
    headers: Mapping[str, str]
    num_records: int


@dataclass(slots=True)
class Pages:
    """What to ask for: an address, or None for the resource's own, and the parameters that the paginator adds."""

    paginator: Paginator
    url: str | None = None
    params: dict[str, str | int] = field(default_factory=dict)
    _position: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if isinstance(self.paginator, Offset):
            pages = self.paginator
            self._position = pages.offset
            self.params = {pages.offset_param: self._position, pages.limit_param: pages.limit}
        elif isinstance(self.paginator, PageNumber):
            self._position = self.paginator.base_page
            self.params = {self.paginator.page_param: self._position}

    def move(self, page: Page) -> bool:
        """To the next page; False at the end."""
        match self.paginator:
            case Offset() as paginator:
                return self._skip(paginator, page)
            case PageNumber() as paginator:
                return self._count(paginator, page)
            case CursorPages(cursor_path=path, cursor_param=param):
                return self._set(param, _find_in(page, path))
            case HeaderCursor(cursor_key=key, cursor_param=param):
                return self._set(param, page.headers.get(key))
            case _:
                return self._follow(page, self._find_next(page))

    def _find_next(self, page: Page) -> Any:
        match self.paginator:
            case JsonLink(next_url_path=path):
                return _find_in(page, path)
            case HeaderLink(links_next_key=key):
                return _find_link(page.headers, key)
            case Automatic():
                return _find_link(page.headers, "next") or _find_usual(page.body)
        return None

    def _follow(self, page: Page, link: Any) -> bool:
        if not link or not isinstance(link, str):
            return False
        self.url, self.params = urljoin(page.url, link), {}
        return True

    def _set(self, param: str, value: Any) -> bool:
        if value is None or value == "" or value is False:
            return False
        self.params = {param: value if isinstance(value, int) else str(value)}
        return True

    def _skip(self, paginator: Offset, page: Page) -> bool:
        self._position += paginator.limit
        total = _find_total(page, paginator.total_path)
        is_over = not page.num_records or (total is not None and self._position >= total)
        if is_over or (paginator.maximum_offset is not None and self._position > paginator.maximum_offset):
            return False
        self.params = {**self.params, paginator.offset_param: self._position}
        return True

    def _count(self, paginator: PageNumber, page: Page) -> bool:
        self._position += 1
        total = _find_total(page, paginator.total_path)
        is_over = not page.num_records or (total is not None and self._position - paginator.base_page >= total)
        if is_over or (paginator.maximum_page is not None and self._position > paginator.maximum_page):
            return False
        self.params = {**self.params, paginator.page_param: self._position}
        return True


def find_records(body: Any, selector: str | None) -> list[Any] | None:
    """The records of a page; None where it has none that can be told."""
    if selector is not None:
        found = find(body, selector)
        if isinstance(found, dict):
            return [found]
        return [] if found is None else found if isinstance(found, list) else None
    if isinstance(body, list):
        return body
    if not isinstance(body, dict):
        return None
    lists = {name: value for name, value in body.items() if isinstance(value, list) and _are_objects(value)}
    for name in _USUAL_LISTS:
        if isinstance(body.get(name), list):
            return list(body[name])
    return next(iter(lists.values())) if len(lists) == 1 else [body]


def _are_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _find_in(page: Page, path: str) -> Any:
    """Raises InvalidDataError for a page that is a list: nothing in it leads on, and what follows would be lost."""
    if isinstance(page.body, list) and page.num_records:
        raise InvalidDataError(
            f"{page.url} answers a list, in which there is no {path!r} that leads to the next page. Is it in a header "
            "(header_link, header_cursor), or are pages counted (page_number, offset)?"
        )
    return find(page.body, path)


def _find_total(page: Page, path: str | None) -> int | None:
    value = None if path is None else find(page.body, path)
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None


def _find_usual(body: Any) -> str | None:
    links = (find(body, path) for path in _USUAL_LINKS)
    return next((link for link in links if _is_link(link)), None)


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://", "/"))


def _find_link(headers: Mapping[str, str], key: str) -> str | None:
    for url, rest in _LINK.findall(headers.get("link", "")):
        match = _REL.search(rest)
        if match is not None and key in match[1].split():
            return str(url)
    return None
