"""Preparations as their users ask for them: a recipe checked against its data, and tried on a sample."""

import re
from collections.abc import Sequence

from aimass_core.domain.common import NAME_PATTERN, Principal
from aimass_core.domain.recipes import DATA_CHANNEL, PrepareSpec, Preview, PreviewCreate, PreviewRequest, PreviewSource
from aimass_core.domain.settings.collection import CollectionSettings
from aimass_core.errors import ErrorDetail, InternalError, InvalidRequestError, error_classes
from aimass_core.ports import Ports
from aimass_core.services import audit, job_channels
from aimass_core.services.job_channels import Channel


def complete(spec: PrepareSpec, channels: Sequence[Channel]) -> PrepareSpec:
    """The spec with the name of its output. Raises InvalidRequestError or InvalidDataError where it does not fit."""
    _check(spec, channels)
    dataset_name = channels[0].version.dataset_name
    for name in spec.outputs(dataset_name).values():
        if re.fullmatch(NAME_PATTERN, name) is None:
            raise InvalidRequestError(
                f"The job would write the dataset {name!r}, which is longer than 63 characters. Name a shorter output.",
                details=[ErrorDetail(location="body.spec.output", message="is too long")],
            )
    return spec.model_copy(update={"output": spec.output or f"{dataset_name}-prepared"})


def preview(ports: Ports, principal: Principal, dataset: str, request: PreviewCreate) -> Preview:
    """What a recipe does to a sample of a version; nothing is stored.

    Raises NotFoundError, ConflictError, InvalidRequestError or InvalidDataError.
    """
    collection = ports.live_settings.get(CollectionSettings, principal.workspace_id)
    spec = PrepareSpec(dataset="data", recipe=request.recipe)
    references = {DATA_CHANNEL: dataset if request.number is None else f"{dataset}@{request.number}"}
    channels = job_channels.resolve_references(ports, principal.workspace_id, references | request.recipe.joins)
    _check(spec, channels)
    asked = PreviewRequest(
        workspace_id=principal.workspace_id,
        sources={
            channel.name: PreviewSource(
                dataset_id=channel.version.dataset_id,
                dataset_name=channel.version.dataset_name,
                number=channel.version.number,
            )
            for channel in channels
        },
        recipe=request.recipe,
        num_sampled=request.num_sampled if "num_sampled" in request.model_fields_set else collection.preview_rows,
        limit=request.limit,
    )
    read = [f"{channel.version.dataset_name}@{channel.version.number}" for channel in channels]
    audit.record_read(ports, principal, "dataset.preview", channels[0].version, versions=read)
    answer = ports.previewer.preview(asked.model_dump(mode="json"))
    if "error" in answer:
        kind = error_classes().get(str(answer["error"]["code"]), InternalError)
        raise kind(str(answer["error"]["message"]))
    return Preview.model_validate(answer["preview"])


def _check(spec: PrepareSpec, channels: Sequence[Channel]) -> None:
    # NOTE: the parser of expressions takes longer to import than most requests take to answer.
    from aimass_core.services.recipes import checking

    checking.check(spec.recipe, {channel.name: channel.schema for channel in channels})
