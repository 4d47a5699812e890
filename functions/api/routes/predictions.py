"""/v1/predictions: what predictions need that one request cannot carry. The predictions function makes them."""

from aimass_core.domain.common import Role
from aimass_core.domain.predictions import DeferredPrediction, PredictionInput, PredictionInputCreate
from aimass_core.services import predictions
from functions.api.request import Id
from functions.api.routing import ResourceRouter

router = ResourceRouter("predictions")


@router.operation("POST", "/v1/predictions/inputs", role=Role.VIEWER, summary="Send a large input")
def create_prediction_input(body: PredictionInputCreate) -> PredictionInput:
    """How to send a body of up to 64 MiB: one signed PUT, or nothing where the same bytes are there already. Name it in
    the header X-Aimass-Input of a prediction without a body. It is kept for a day."""
    return predictions.create_input(router.ports, router.caller, body)


@router.operation(
    "GET", "/v1/predictions/<prediction>", role=Role.VIEWER, summary="Read a prediction that is answered later"
)
def get_prediction(prediction: Id) -> DeferredPrediction:
    """How far a prediction with `Prefer: respond-async` is; once it has SUCCEEDED, with a link to its answer."""
    return predictions.get(router.ports, router.caller, prediction)
