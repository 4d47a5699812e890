"""Answers that can act: contract classes bound to the client that read them."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, PrivateAttr, ValidationError

from aimass_core.domain.common import Contract
from aimass_core.errors import ErrorDetail, InvalidRequestError

if TYPE_CHECKING:
    from aimass.client import Client

ModelT = TypeVar("ModelT", bound=BaseModel)


class Bound(Contract):
    """An answer with methods. The client travels as validation context, so nested answers are bound too."""

    _client: "Client" = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Takes the client from the validation context."""
        if isinstance(context, dict) and "client" in context:
            self._client = context["client"]


class Api:
    """Base of `client.<resource>`: sends requests and binds the answers."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _read(self, cls: type[ModelT], data: Any) -> ModelT:
        return cls.model_validate(data, context={"client": self._client})

    def _get(self, cls: type[ModelT], path: str, **params: Any) -> ModelT:
        return self._read(cls, self._client.http.request("GET", path, params=params))

    def _post(
        self, cls: type[ModelT], path: str, body: BaseModel | None = None, *, headers: Mapping[str, str] | None = None
    ) -> ModelT:
        sent = None if body is None else body.model_dump(mode="json", exclude_unset=True)
        return self._read(cls, self._client.http.request("POST", path, body=sent, headers=headers))

    def _patch(self, cls: type[ModelT], path: str, body: BaseModel, *, revision: int) -> ModelT:
        sent = body.model_dump(mode="json", exclude_unset=True)
        return self._read(
            cls, self._client.http.request("PATCH", path, body=sent, headers={"if-match": f'"{revision}"'})
        )

    def _put(self, cls: type[ModelT], path: str, body: BaseModel) -> ModelT:
        sent = body.model_dump(mode="json", exclude_unset=True)
        return self._read(cls, self._client.http.request("PUT", path, body=sent))

    def _delete(self, path: str) -> None:
        self._client.http.request("DELETE", path)

    def _list(self, cls: type[ModelT], path: str, **params: Any) -> "Pages[ModelT]":
        return Pages(
            lambda cursor: self._client.http.request("GET", path, params={**params, "cursor": cursor}),
            lambda item: self._read(cls, item),
        )


def to_request(cls: type[ModelT], **fields: Any) -> ModelT:
    """A request body, checked as far as it can be without the server.

    Raises:
        InvalidRequestError: As the server would answer, with one detail for each fault.
    """
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        details = [
            ErrorDetail(location=".".join(["body", *(str(part) for part in fault["loc"])]), message=fault["msg"])
            for fault in error.errors(include_url=False)
        ]
        raise InvalidRequestError("The request is not valid.", details=details) from error


class Pages(Generic[ModelT]):
    """A list that is read page by page, as far as it is iterated."""

    def __init__(self, fetch: Callable[[str | None], Any], read: Callable[[Any], ModelT]) -> None:
        self._fetch, self._parse = fetch, read

    def __iter__(self) -> Iterator[ModelT]:
        cursor: str | None = None
        while True:
            page = self._fetch(cursor)
            yield from (self._parse(item) for item in page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def first(self) -> ModelT | None:
        """The first one, or None."""
        return next(iter(self), None)
