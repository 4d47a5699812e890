"""Lists of models, endpoint configurations and endpoints."""

from __future__ import annotations

from collections.abc import Iterable

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError
from aimass_local.sagemaker.hosting.resources import Definition, Endpoint, summarize
from aimass_local.sagemaker.queries import to_seconds

_DEFAULT_RESULTS = 10
_ORDERS = {
    "CreationTime": lambda resource: (resource.created_at, resource.name),
    "Name": lambda resource: resource.name,
    "Status": lambda resource: (resource.status, resource.name),
}


def list_resources(kind: str, resources: Iterable[Definition | Endpoint], parameters: Document) -> Document:
    """The answer of List<kind>s. Its token is the name of the last one shown."""
    order = _ORDERS[parameters.get("SortBy", "CreationTime")]
    is_descending = parameters.get("SortOrder", "Descending") == "Descending"
    wanted = (resource for resource in resources if _is_wanted(resource, parameters))
    found = sorted(wanted, key=order, reverse=is_descending)
    names = [resource.name for resource in found]
    token = parameters.get("NextToken")
    if token is not None and token not in names:
        raise ValidationError("Invalid NextToken")
    first = 0 if token is None else names.index(token) + 1
    page = found[first : first + parameters.get("MaxResults", _DEFAULT_RESULTS)]
    answer: Document = {f"{kind}s": [summarize(kind, resource) for resource in page]}
    return answer | ({"NextToken": page[-1].name} if first + len(page) < len(found) else {})


def _is_wanted(resource: Definition | Endpoint, parameters: Document) -> bool:
    times = {"CreationTime": resource.created_at, "LastModifiedTime": resource.changed_at}
    return (
        parameters.get("NameContains", "") in resource.name
        and ("StatusEquals" not in parameters or parameters["StatusEquals"] == getattr(resource, "status", None))
        and all(time > to_seconds(parameters.get(f"{name}After", 0)) for name, time in times.items())
        and all(time < to_seconds(parameters.get(f"{name}Before", 1e11)) for name, time in times.items())
    )
