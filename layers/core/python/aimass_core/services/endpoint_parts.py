"""Decompositions: which of their parts answer where these are served apart."""

from aimass_core.domain import keys
from aimass_core.domain.endpoints import ServedMember
from aimass_core.domain.expert_graphs import ExpertGraph
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.errors import InternalError
from aimass_core.ports import Ports


def has_parts(version: ModelVersion) -> bool:
    """Whether it can be served by them, and not as one graph alone."""
    return any(artifact.name == ArtifactName.EXPERTS for artifact in version.artifacts)


def find_parts(ports: Ports, version: ModelVersion) -> list[ServedMember]:
    """Those that are asked, the gate first; none of what is no decomposition. (They stay as long as the whole.)"""
    if not has_parts(version):
        return []
    key = keys.model_object(version.workspace_id, version.model_id, version.number, ArtifactName.EXPERTS)
    graph = ExpertGraph.model_validate_json(ports.lake.get(key))
    lacking = sorted(graph.digests().keys() - version.parts.keys())
    if lacking:
        raise InternalError(f"{version.model_name}@{version.number} does not name its part {lacking[0]}.")
    return [ServedMember(**version.parts[part].model_dump(), part=part) for part in graph.digests()]
