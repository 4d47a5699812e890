"""Fusions whose members are served apart: which these are, and what each of them counts at an endpoint."""

from collections.abc import Mapping

from aimass_core.domain import keys
from aimass_core.domain.endpoints import Endpoint, ServedMember
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.serving_graphs import ServingGraph
from aimass_core.errors import ConflictError, ErrorDetail, InternalError, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import records

_LOCATION = "body.weights"


def find_members(ports: Ports, version: ModelVersion) -> list[ServedMember]:
    """None where it is served as one graph. Raises ConflictError where one of them is gone."""
    if not any(artifact.name == ArtifactName.FUSION for artifact in version.artifacts):
        return []
    key = keys.model_object(version.workspace_id, version.model_id, version.number, ArtifactName.FUSION)
    graph = ServingGraph.model_validate_json(ports.lake.get(key))
    parents = {f"{parent.model_name}@{parent.number}": parent for parent in version.parents}
    found = []
    for member in graph.members:
        parent = parents.get(member.name)
        if parent is None:
            raise InternalError(f"{version.model_name}@{version.number} does not name its member {member.name}.")
        try:
            records.get(ports, ModelVersion, version.workspace_id, parent.model_id, parent.number)
        except NotFoundError as error:
            raise ConflictError(
                f"{version.model_name}@{version.number} loads {member.name} beside itself, which was deleted. Fuse the "
                "models that are left, or fuse them into one graph."
            ) from error
        found.append(ServedMember(**parent.model_dump(), weight=member.weight))
    return found


def check(endpoint: Endpoint, weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as they can be served. Raises InvalidRequestError, or ConflictError where nothing serves."""
    if endpoint.serving is None:
        raise ConflictError(f"The endpoint {endpoint.name!r} serves nothing yet: it is {endpoint.status}.")
    members = endpoint.serving.members
    served = f"{endpoint.serving.model_name}@{endpoint.serving.number}"
    if not members:
        raise _refuse(
            f"{served} is one graph, whose weights are in it: nothing can be changed. Fuse its members with "
            "`placement: apart`."
        )
    if any(member.weight is None for member in members):
        raise _refuse(
            f"{served} combines its members by a model of its own, which has no weights. Fuse them with another "
            "method: averaging, weighting or voting."
        )
    names = [f"{member.model_name}@{member.number}" for member in members]
    if weights.keys() != set(names):
        lacking, unknown = sorted(set(names) - weights.keys()), sorted(weights.keys() - set(names))
        faults = [
            f"{what} {', '.join(found[:10])}" for what, found in (("lacks", lacking), ("also has", unknown)) if found
        ]
        raise _refuse(f"Give one weight for each of {', '.join(names)}; the request {' and '.join(faults)}.")
    if not sum(weights.values()) > 0:
        raise _refuse("All weights are 0: at least one member has to count something.")
    return {name: float(weights[name]) for name in names}


def _refuse(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=_LOCATION, message=message)])
