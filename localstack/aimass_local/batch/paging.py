"""Pages of a sorted list, with a token that stays valid while the list changes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from aimass_local.batch.errors import ClientError
from aimass_local.batch.wire import Document

Item = TypeVar("Item")


def take_page(
    items: Iterable[Item], parameters: Document, *, key: Callable[[Item], list[Any]], largest: int = 100
) -> tuple[list[Item], Document]:
    """One page of `items`, and `{"nextToken": ...}` if there are more.

    Args:
        items: in any order.
        parameters: `maxResults` and `nextToken` of the request.
        key: the sort key, unique for each item; the token holds the key of the last item given.
        largest: page size where the request names none or a larger one.
    """
    size = min(parameters.get("maxResults", largest), largest)
    if size < 1:
        raise ClientError(f"maxResults is {size}: it has to be at least 1")
    rest = sorted(items, key=key)
    if token := parameters.get("nextToken"):
        last = _decode(token)
        rest = [item for item in rest if key(item) > last]
    page = rest[:size]
    return page, {"nextToken": _encode(key(page[-1]))} if len(rest) > size else {}


def _encode(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode(token: str) -> list[Any]:
    try:
        key = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error) as error:
        raise ClientError("nextToken is not one that this operation gave") from error
    if not isinstance(key, list):
        raise ClientError("nextToken is not one that this operation gave")
    return key
