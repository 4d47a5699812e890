"""The table of operations: a router per resource, and what each of its routes demands before its handler runs."""

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import Principal, Request, Role
from aimass_core.domain.sources import SourceVerb
from aimass_core.errors import MethodNotAllowedError, NotFoundError
from aimass_core.lambda_support.idempotency import Store
from aimass_core.ports import Ports
from aimass_core.services import job_quotas
from aimass_core.services.job_quotas import JobLimits

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route x method. `role` is the least that may call it; None leaves it open to everybody.

    With a `verb` the use case decides who may do it with the source that is named: by role, ownership or grant.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    role: Role | None
    verb: SourceVerb | None
    has_body: bool
    query: frozenset[str]
    is_idempotent: bool
    stores_answer: bool
    needs_revision: bool
    produces: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches a request's path. A segment is anything but a slash; the handler's types say what it may be."""
        return _to_pattern(self.path)

    @property
    def openapi_path(self) -> str:
        """`/v1/jobs/<job>` as OpenAPI writes it."""
        return re.sub(r"<(\w+)>", r"{\1}", self.path)


class ResourceRouter(Router):
    """The routes of one resource. Every one is registered by `operation`, so none can be without a role."""

    def __init__(self, tag: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tag = tag
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        role: Role | None,
        summary: str,
        status: int = 200,
        verb: SourceVerb | None = None,
        idempotent: bool = False,
        stores_answer: bool = True,
        produces: str = "application/json",
    ) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: with `<parameter>`s.
            role: the least role that may call it.
            verb: what the caller must be allowed to do with the source; checked by the use case.
            summary: a line for the documentation.
            status: of the answer when all went well.
            idempotent: takes an Idempotency-Key; the handler then runs once for each.
            produces: the media type of the answer.
            stores_answer: False where the answer holds a secret: a repeated request is told 409 instead.
        """

        def register(handler: HandlerT) -> HandlerT:
            hints = get_type_hints(handler, include_extras=True)
            self.operations.append(
                Operation(
                    method=method,
                    path=path,
                    name=handler.__name__,
                    summary=summary,
                    tag=self.tag,
                    role=role,
                    verb=verb,
                    has_body=any(inspect.isclass(hint) and issubclass(hint, Request) for hint in hints.values()),
                    query=frozenset(_query_names(hints)),
                    is_idempotent=idempotent,
                    stores_answer=stores_answer,
                    needs_revision="if_match" in hints,
                    produces=produces,
                )
            )
            register_route = self.route(
                path,
                method,
                summary=summary,
                description=inspect.getdoc(handler),
                tags=[self.tag],
                operation_id=handler.__name__,
                status_code=status,
                response_description="Done",
            )
            return register_route(handler)

        return register

    @property
    def resolver(self) -> APIGatewayRestResolver:
        """The resolver that holds the routes of all resources."""
        if not isinstance(self.api_resolver, APIGatewayRestResolver):
            raise TypeError(f"the router {self.tag!r} is not included in a resolver")
        return self.api_resolver

    @property
    def ports(self) -> Ports:
        """What the use cases work with."""
        found: Ports = self.context["ports"]
        return found

    @property
    def caller(self) -> Principal:
        """Who is asking, as the authorizer found out."""
        found: Principal = self.context["caller"]
        return found

    @property
    def store(self) -> Store:
        """The records of idempotent requests."""
        found: Store = self.context["store"]
        return found

    @property
    def job_limits(self) -> JobLimits:
        """How many jobs a workspace may have and submit."""
        return job_quotas.limits_of(self.ports, self.caller.workspace_id)

    @property
    def cursor_secret(self) -> str:
        """Signs the cursors of lists."""
        return self.ports.secrets.get(str(self.context["cursor_secret_name"]))


def find(operations: Iterable[Operation], *, method: str, path: str) -> Operation:
    """The operation that a request means. Where a fixed address and one with parameters both match, the fixed one.

    Raises:
        NotFoundError: no route has this path.
        MethodNotAllowedError: routes have it, but for other methods.
    """
    candidates = [operation for operation in operations if operation.pattern.fullmatch(path)]
    if not candidates:
        raise NotFoundError("There is nothing at this address. GET /v1/openapi.json lists all that there is.")
    num_parameters = min(operation.path.count("<") for operation in candidates)
    matching = {each.method: each for each in candidates if each.path.count("<") == num_parameters}
    if method not in matching:
        allowed = sorted(matching)
        raise MethodNotAllowedError(f"This address takes {', '.join(allowed)}.", allowed=allowed)
    return matching[method]


@functools.cache
def _to_pattern(path: str) -> re.Pattern[str]:
    # NOTE: kept, as every request is compared with every path.
    return re.compile(re.sub(r"<\w+>", "[^/]+", path))


def _query_names(hints: Mapping[str, Any]) -> Iterable[str]:
    for name, hint in hints.items():
        if get_origin(hint) is Annotated:
            for extra in get_args(hint)[1:]:
                if isinstance(extra, Query):
                    yield extra.alias or name
