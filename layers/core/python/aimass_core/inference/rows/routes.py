"""POST /v1/endpoints/{endpoint}/predict and /invocations, whichever transport brings it."""

import re
from dataclasses import replace

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import Predictions
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import MethodNotAllowedError, NotFoundError
from aimass_core.inference.capturing.observed import Observed
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.rows import mlflow
from aimass_core.inference.rows.bodies import Records, read_records
from aimass_core.inference.rows.predict import columns_of, predict
from aimass_core.inference.serving.asking import Asking
from aimass_core.inference.serving.endpoints import Served

_ADDRESS = re.compile(r"/v1/endpoints/([^/]+)/(predict|invocations)")


def answer(request: PredictionRequest, asking: Asking, caller: Principal) -> PredictionAnswer:
    """Raises NotFoundError, MethodNotAllowedError, and what is wrong with the request."""
    match = _ADDRESS.fullmatch(request.path)
    if match is None:
        raise NotFoundError("There is nothing at this address.")
    if request.method != "POST":
        raise MethodNotAllowedError(f"{request.method} does nothing here; use POST.", allowed=["POST"])
    return asking.answer(request, caller, match[1], answer_rows if match[2] == "predict" else answer_mlflow)


def answer_rows(request: PredictionRequest, served: Served) -> PredictionAnswer:
    """The rows of a request's body, answered by one version."""
    signature = served.model.signature
    images = [spec.column for spec in signature.inputs if spec.column_type is ColumnType.IMAGE]
    records = read_records(request, columns_of(signature), image_column=images[0] if len(images) == 1 else None)
    predictions, observed = _predict(request, served, records, is_explained=request.flag("explain"))
    return PredictionAnswer(
        content=predictions.model_dump_json().encode(), num_rows=len(records.rows), observed=observed
    )


def answer_mlflow(request: PredictionRequest, served: Served) -> PredictionAnswer:
    """The same in MLflow's forms."""
    records = mlflow.read(request, columns_of(served.model.signature))
    predictions, observed = _predict(request, served, records)
    answered = json_answer(mlflow.to_answer(predictions))
    return replace(answered, num_rows=len(records.rows), observed=observed)


def _predict(
    request: PredictionRequest, served: Served, records: Records, *, is_explained: bool = False
) -> tuple[Predictions, Observed]:
    request.check_rows(len(records.rows))
    seen: list[Observed] = []
    predictions = predict(
        served, records, seconds_left=request.seconds_left, is_explained=is_explained, observe=seen.append
    )
    return predictions, seen[0]
