"""How a REST API is read: its client, and the resources that become streams, in the form that dlt made well known.

A text may hold `{incremental.start_value}`, which is where the stream's cursor stands, and
`{resources.issues.number}`, a field of each record of another resource: then the resource is read once for each.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from aimass_core.domain.common import JsonScalar, Request

MAX_RESOURCES = 200
PARENT = re.compile(r"\{resources\.([^.{}]+)\.([^{}]+)\}")
START = "{incremental.start_value}"

Url = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class SecretRef(Request):
    """A secret of the source, by its name: set by `aimass sources secrets set`."""

    secret: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")


Secretive = Annotated[str, StringConstraints(max_length=10_000)] | SecretRef


class BearerAuth(Request):
    """`Authorization: Bearer <token>`."""

    type: Literal["bearer"] = "bearer"
    token: SecretRef


class ApiKeyAuth(Request):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    name: str = Field(default="Authorization", max_length=200, pattern=r"^[A-Za-z0-9_-]+$")
    api_key: SecretRef
    location: Literal["header", "query"] = "header"


class BasicAuth(Request):
    """A name and a password."""

    type: Literal["http_basic"]
    username: Secretive
    password: SecretRef


class OAuth2Auth(Request):
    """A token for the client's own credentials (RFC 6749, section 4.4), fetched anew when it has expired."""

    type: Literal["oauth2_client_credentials"]
    access_token_url: Url
    client_id: Secretive
    client_secret: SecretRef
    scope: str | None = Field(default=None, max_length=2_000)


Auth = Annotated[BearerAuth | ApiKeyAuth | BasicAuth | OAuth2Auth, Field(discriminator="type")]


class SinglePage(Request):
    """There is one page."""

    type: Literal["single_page"]


class JsonLink(Request):
    """The page holds the next one's address."""

    type: Literal["json_link"]
    next_url_path: Path = "next"


class HeaderLink(Request):
    """A `Link` header names the next page (RFC 8288)."""

    type: Literal["header_link"]
    links_next_key: str = Field(default="next", max_length=100)


class Offset(Request):
    """So many records are skipped."""

    type: Literal["offset"]
    limit: int = Field(strict=True, ge=1, le=100_000)
    offset: int = Field(strict=True, default=0, ge=0)
    offset_param: str = Field(default="offset", max_length=100)
    limit_param: str = Field(default="limit", max_length=100)
    total_path: Path | None = Field(default=None, description="Null: until a page has no records.")
    maximum_offset: int | None = Field(strict=True, default=None, ge=0)


class PageNumber(Request):
    """Pages are counted."""

    type: Literal["page_number"]
    base_page: int = Field(strict=True, default=1, ge=0)
    page_param: str = Field(default="page", max_length=100)
    total_path: Path | None = Field(default=None, description="Of the number of pages. Null: until one is empty.")
    maximum_page: int | None = Field(strict=True, default=None, ge=0)


class CursorPages(Request):
    """The page holds a word that asks for the next one."""

    type: Literal["cursor"]
    cursor_path: Path = "cursors.next"
    cursor_param: str = Field(default="cursor", max_length=100)


class HeaderCursor(Request):
    """A header of the answer holds a word that asks for the next page."""

    type: Literal["header_cursor"]
    cursor_key: str = Field(default="next", max_length=100, description="The header's name.")
    cursor_param: str = Field(default="cursor", max_length=100)


class Automatic(Request):
    """Found out from each page: a Link header, or an address under `next`, `links.next`, `paging.next` and such."""

    type: Literal["auto"] = "auto"


Paginator = Annotated[
    SinglePage | JsonLink | HeaderLink | Offset | PageNumber | CursorPages | HeaderCursor | Automatic,
    Field(discriminator="type"),
]


class Resolve(Request):
    """A field of another resource's records, for a placeholder of that name in the path."""

    type: Literal["resolve"]
    resource: str = Field(max_length=200)
    field: Path


class Incremental(Request):
    """Only what is new is asked for."""

    cursor_path: Path | None = Field(default=None, description="Null: that of the policy's cursor.")
    initial_value: JsonScalar = None
    start_param: str | None = Field(default=None, max_length=100, description="The parameter that says from where on.")


class Endpoint(Request):
    """What is asked for."""

    model_config = ConfigDict(populate_by_name=True)

    path: str = Field(default="", max_length=2_000)
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, Secretive] = Field(default={}, max_length=50)
    params: dict[str, Resolve | JsonScalar | list[JsonScalar]] = Field(default={}, max_length=100)
    json_body: dict[str, Any] | None = Field(default=None, alias="json", description="Of a POST.")
    data_selector: Path | None = Field(
        default=None, description="Where the records lie; null: the page itself, or its only list of objects."
    )
    paginator: Paginator | None = Field(default=None, description="Null: the client's.")
    incremental: Incremental | None = None


class Resource(Request):
    """A stream."""

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f#]+$")
    endpoint: Endpoint = Endpoint()
    primary_key: str | list[str] | None = None
    include_from_parent: list[Path] = Field(
        default=[], max_length=50, description="Fields of the parent, which become `_<parent>_<field>`."
    )
    selected: bool = Field(
        strict=True, default=True, description="Whether it is a stream, or only read for its children."
    )

    def parents(self) -> dict[str, set[str]]:
        """The fields that it needs of other resources' records."""
        found: dict[str, set[str]] = {}
        for text in _texts([self.endpoint.path, self.endpoint.params, self.endpoint.json_body]):
            for name, field in PARENT.findall(text):
                found.setdefault(name, set()).add(field)
        for value in self.endpoint.params.values():
            if isinstance(value, Resolve):
                found.setdefault(value.resource, set()).add(value.field)
        return found


class RestClient(Request):
    """What all resources share."""

    base_url: Url
    headers: dict[str, Secretive] = Field(default={}, max_length=50)
    auth: Auth | None = None
    paginator: Paginator = Automatic()


class RestConfig(Request):
    """The whole of it."""

    client: RestClient
    resource_defaults: Endpoint = Field(default=Endpoint(), description="What endpoints have that do not say it.")
    resources: list[Resource] = Field(min_length=1, max_length=MAX_RESOURCES)

    @model_validator(mode="after")
    def _check_parents(self) -> Self:
        known: set[str] = set()
        names = [resource.name for resource in self.resources]
        if len(set(names)) < len(names):
            raise ValueError("two resources have the same name")
        for resource in self.resources:
            parents = list(resource.parents())
            if len(parents) > 1:
                raise ValueError(f"the resource {resource.name!r} depends on {parents}: it may depend on one")
            if parents and parents[0] not in known:
                raise ValueError(f"the resource {resource.name!r} depends on {parents[0]!r}: put that before it")
            if resource.include_from_parent and not parents:
                raise ValueError(f"the resource {resource.name!r} has no parent to include fields of")
            known.add(resource.name)
        return self


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
