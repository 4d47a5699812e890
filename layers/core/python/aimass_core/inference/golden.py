"""What the platform itself asks: the golden request of a model version, before anybody else may."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.endpoints import ServedModel
from aimass_core.domain.signatures import Signature
from aimass_core.errors import AimassError, InvalidRequestError
from aimass_core.inference.oip import tensors
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.model import AnyModel
from aimass_core.inference.serving.store import ModelRefusedError


def answer(endpoints: ServingEndpoints, payload: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """The model's outputs as nested lists, or the error that speaks against the model.

    What is no fault of the model (the lake cannot be reached) is raised, so that the platform asks again.
    """
    try:
        model = endpoints.load(payload["workspace_id"], version_of(payload))
        return {"outputs": ask(model, payload["inputs"], seconds=seconds)}
    except (ModelRefusedError, InvalidRequestError) as error:
        return {"error": _describe(error)}


def version_of(payload: Mapping[str, Any]) -> ServedModel:
    """Which version, and where it answers: the fields of a ServedModel, without its name."""
    return ServedModel.model_validate({"model_name": "", **payload})


def ask(model: AnyModel, inputs: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """The model's outputs as nested lists. Raises InvalidRequestError."""
    names = [spec.name for spec in model.signature.outputs]
    outputs = model.run(_read_inputs(model.signature, inputs), outputs=names, seconds=seconds)
    return {name: _to_nested(array) for name, array in outputs.items()}


def _read_inputs(signature: Signature, given: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    if given.keys() != {spec.name for spec in signature.inputs}:
        raise InvalidRequestError("The golden request has other inputs than the model.")
    return {
        spec.name: tensors.from_json(spec, given[spec.name], _shape_of(given[spec.name])) for spec in signature.inputs
    }


def _shape_of(nested: Any) -> list[int]:
    shape = []
    while isinstance(nested, list):
        shape.append(len(nested))
        nested = nested[0] if nested else None
    return shape


def _to_nested(array: NDArray[Any]) -> Any:
    return np.array(tensors.to_json(array), dtype=object).reshape(array.shape).tolist()


def _describe(error: AimassError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
