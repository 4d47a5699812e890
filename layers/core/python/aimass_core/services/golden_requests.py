"""The golden request: what a model version must answer through the predictions function before it may serve."""

from pydantic import ValidationError

from aimass_core.domain import goldens, keys
from aimass_core.domain.endpoints import ServedModel
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden
from aimass_core.errors import InternalError
from aimass_core.ports import BlobNotFoundError, Ports


def verify(ports: Ports, workspace_id: str, model: ServedModel) -> str | None:
    """Why a version may not serve; None where it gave the golden answer.

    Raises UnavailableError while the predictions function cannot be asked.
    """
    key = keys.model_object(workspace_id, model.model_id, model.number, ArtifactName.GOLDEN)
    try:
        golden = Golden.model_validate_json(ports.lake.get(key))
    except (BlobNotFoundError, ValidationError):
        return f"The golden request of {model.model_name}@{model.number} is missing or damaged. Train it again."
    payload = {
        "workspace_id": workspace_id,
        **model.model_dump(mode="json", exclude={"model_name"}, exclude_defaults=True),
        "inputs": golden.inputs,
    }
    try:
        answer = ports.predictor.predict(payload)
    except InternalError as error:
        return f"The golden request failed: {error.message}"
    if "error" in answer:
        told = answer["error"]
        return f"The golden request failed: {told.get('message', 'no message')} ({told.get('code', 'no code')})."
    fault = goldens.find_difference(golden, answer.get("outputs", {}))
    return None if fault is None else f"The golden request gave another answer than in training: {fault}."
