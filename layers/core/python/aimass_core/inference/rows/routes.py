"""POST /v1/endpoints/{endpoint}/predict, whichever transport brings it."""

import re

from aimass_core.domain.common import Principal
from aimass_core.errors import MethodNotAllowedError, NotFoundError
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.rows.bodies import read_records
from aimass_core.inference.rows.predict import columns_of, predict
from aimass_core.inference.serving.endpoints import EndpointSource, Served

_PREDICT = re.compile(r"/v1/endpoints/([^/]+)/predict")


def answer(request: PredictionRequest, endpoints: EndpointSource, caller: Principal) -> PredictionAnswer:
    """Raises NotFoundError, MethodNotAllowedError, and what is wrong with the request."""
    match = _PREDICT.fullmatch(request.path)
    if match is None:
        raise NotFoundError("There is nothing at this address.")
    if request.method != "POST":
        raise MethodNotAllowedError(f"{request.method} does nothing here; use POST.", allowed=["POST"])
    return answer_rows(request, endpoints.serve(caller.workspace_id, match[1]))


def answer_rows(request: PredictionRequest, served: Served) -> PredictionAnswer:
    """The rows of a request's body, answered by one version."""
    records = read_records(request, columns_of(served.model.signature))
    predictions = predict(served, records, seconds_left=request.seconds_left)
    return PredictionAnswer(content=predictions.model_dump_json().encode(), num_rows=len(records.rows))
