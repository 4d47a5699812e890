"""Gives documents the names that things have here: where a name was taken, or was changed since an earlier import."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from aimass_core.domain.common import split_ref
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.studies import Study
from aimass_core.domain.triggers import Trigger

# A name beside the id of what has it.
_PAIRS = (("dataset_id", "dataset_name"), ("model_id", "model_name"))

DocumentT = TypeVar("DocumentT", bound=BaseModel)


def rename(document: DocumentT, names: Mapping[str, str]) -> DocumentT:
    """The document with the names that `names` gives by id. What a job was asked for stays as it was written."""
    if not names:
        return document
    body = document.model_dump(mode="json")
    _walk(body, names)
    if body.get("id") in names and "name" in body:
        body["name"] = names[body["id"]]
    renamed = type(document).model_validate(body)
    if isinstance(document, ModelVersion) and any(each.name == ArtifactName.FUSION for each in document.artifacts):
        # NOTE: fusion.json knows its members by the names that they had.
        return renamed.model_copy(update={"parents": document.parents})
    if isinstance(document, Trigger) and document.dataset_id in names:
        body["job"]["spec"] = _of_dataset(body["job"]["spec"], document.dataset_name, names[document.dataset_id])
        return type(document).model_validate(body)
    if isinstance(document, Study) and document.id in names:
        body["spec"]["study"] = names[document.id]
        return type(document).model_validate(body)
    if isinstance(document, Endpoint) and document.weights:
        body["weights"] = _weights(document, names)
        return type(document).model_validate(body)
    return renamed


def _walk(value: Any, names: Mapping[str, str]) -> None:
    if isinstance(value, dict):
        for id_field, name_field in _PAIRS:
            if name_field in value and value.get(id_field) in names:
                value[name_field] = names[value[id_field]]
        for each in value.values():
            _walk(each, names)
    elif isinstance(value, list):
        for each in value:
            _walk(each, names)


def _of_dataset(spec: dict[str, Any], former: str, name: str) -> dict[str, Any]:
    """A trigger's job names its dataset without a version."""
    if "channels" in spec:
        channels = {channel: name if ref == former else ref for channel, ref in spec["channels"].items()}
        return {**spec, "channels": channels}
    return {**spec, "dataset": name} if split_ref(spec["dataset"])[0] == former else spec


def _weights(endpoint: Endpoint, names: Mapping[str, str]) -> dict[str, float]:
    served = endpoint.serving or endpoint.candidate
    members = {} if served is None else {f"{each.model_name}@{each.number}": each for each in served.members}
    found = {}
    for ref, weight in (endpoint.weights or {}).items():
        member = members.get(ref)
        name = ref if member is None else f"{names.get(member.model_id, member.model_name)}@{member.number}"
        found[name] = weight
    return found
