"""POST /v1/endpoints/{endpoint}/predict: each row is answered for itself, with what is wrong or strange about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.endpoints import Prediction, Predictions
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from aimass_core.inference.capturing.observed import Observed
from aimass_core.inference.drift import find_warnings
from aimass_core.inference.explaining import explanations
from aimass_core.inference.rows.bodies import Records
from aimass_core.inference.rows.cells import to_tensor
from aimass_core.inference.rows.series import join_steps, to_series
from aimass_core.inference.serving.endpoints import Served
from aimass_core.inference.serving.model import AnyModel, Tensors

Array = NDArray[Any]

_UNREADABLE = "the model cannot be run on this row: check its values"
_MAX_NAMES = 20


def predict(
    served: Served,
    records: Records,
    *,
    seconds_left: Callable[[], float],
    is_explained: bool = False,
    observe: Callable[[Observed], None] | None = None,
) -> Predictions:
    """Answers every row that can be read, and says of the others why not.

    Raises:
        InvalidRequestError: No row has any column that the model knows, or the model takes tensors only.
        DeadlineExceededError: It took too long.
    """
    signature = served.model.signature
    _require_columns(signature, endpoint=served.endpoint.name)
    if is_explained:
        explanations.check(signature, len(records.rows))
    warnings = _check_columns(signature, records)
    if not records.errors:
        steps, told = join_steps(signature, records.rows)
        records, warnings = Records(rows=steps), [*warnings, *([told] if told else [])]
    inputs, errors = _to_inputs(signature, records)
    answered = [row for row in range(len(records.rows)) if row not in errors]
    outputs = _run(served.model, _take(inputs, answered), seconds_left) if answered else []
    if observe is not None:
        observe(_to_observed(served, inputs, records, dict(zip(answered, outputs, strict=True))))
    strange = find_warnings(signature, inputs)
    predictions = [Prediction(error=errors.get(row, _UNREADABLE)) for row in range(len(records.rows))]
    for row, output in zip(answered, outputs, strict=True):
        if output is not None:
            predictions[row] = _to_prediction(signature, output, strange.get(row, []))
    if is_explained:
        _explain(served.model, inputs, predictions, seconds_left)
    return Predictions(
        model_name=served.endpoint.name,
        model_version=served.version.number,
        predictions=predictions,
        warnings=[*served.list_missing(), *warnings],
    )


def _to_observed(
    served: Served, inputs: Tensors, records: Records, outputs: Mapping[int, Mapping[str, Any] | None]
) -> Observed:
    found = {row: output for row, output in outputs.items() if output is not None}
    return Observed(
        endpoint=served.endpoint,
        version=served.version,
        signature=served.model.signature,
        inputs=inputs,
        rows=list(found),
        outputs=list(found.values()),
        records=records.rows,
    )


def _explain(
    model: AnyModel, inputs: Tensors, predictions: list[Prediction], seconds_left: Callable[[], float]
) -> None:
    rows = [row for row, prediction in enumerate(predictions) if prediction.error is None]
    if rows:
        found = explanations.explain(model, _take(inputs, rows), seconds_left=seconds_left)
        for row, explanation in zip(rows, found, strict=True):
            predictions[row] = predictions[row].model_copy(update={"explanation": explanation})


def columns_of(signature: Signature) -> list[str]:
    """The names that a row may have."""
    return [spec.column or spec.name for spec in signature.inputs]


def _require_columns(signature: Signature, *, endpoint: str) -> None:
    if signature.task is Task.CUSTOM or any(spec.column_type is None for spec in signature.inputs):
        raise InvalidRequestError(
            "This model was made by a script and takes tensors, not rows. Send them to "
            f"/v2/models/{endpoint}/infer; its inputs are: {_names([spec.name for spec in signature.inputs])}."
        )


def _check_columns(signature: Signature, records: Records) -> list[str]:
    known = columns_of(signature)
    given: dict[str, None] = {}
    for row in records.rows:
        given.update(dict.fromkeys(row))
    if given and not given.keys() & set(known):
        raise InvalidRequestError(
            f"None of the columns {_names(list(given))} is known to the model. Its columns are: {_names(known)}."
        )
    extra = [name for name in given if name not in set(known)]
    absent = [name for name in known if name not in given] if given else []
    told = (("that the model does not use were ignored", extra), ("that no row has are missing values", absent))
    return [f"columns {what}: {_names(names)}" for what, names in told if names]


def _to_inputs(signature: Signature, records: Records) -> tuple[dict[str, Array], dict[int, str]]:
    series = [spec for spec in signature.inputs if spec.column_type is ColumnType.SERIES]
    inputs, faults = to_series(series, records.rows)
    errors = dict(records.errors)
    for spec in signature.inputs:
        if spec.name not in inputs:
            column = spec.column or spec.name
            inputs[spec.name], wrong = to_tensor(spec, [row.get(column) for row in records.rows])
            faults += list(wrong.items())
    for row, message in faults:
        errors[row] = f"{errors[row]}; {message}" if row in errors else message
    return inputs, errors


def _take(inputs: Tensors, rows: Sequence[int]) -> Tensors:
    return {name: array[rows] for name, array in inputs.items()}


def _run(model: AnyModel, inputs: Tensors, seconds_left: Callable[[], float]) -> list[Mapping[str, Any] | None]:
    """The outputs of each row. Where the model refuses them all, halves are tried: one bad row spoils no other."""
    num_rows = len(next(iter(inputs.values())))
    try:
        outputs = model.run(inputs, outputs=[spec.name for spec in model.signature.outputs], seconds=seconds_left())
    except InvalidDataError:
        if num_rows == 1:
            return [None]
        middle = num_rows // 2
        halves = (range(middle), range(middle, num_rows))
        return [output for half in halves for output in _run(model, _take(inputs, list(half)), seconds_left)]
    return [{name: array[row] for name, array in outputs.items()} for row in range(num_rows)]


def _to_prediction(signature: Signature, output: Mapping[str, Any], warnings: Sequence[str]) -> Prediction:
    if signature.task.is_classification:
        return _to_classification(signature, output, list(warnings))
    if signature.task is Task.FORECASTING:
        values = [float(value) for value in output["value"]]
        if not np.isfinite(values).all():
            return Prediction(error="the model's forecast has values that are not numbers", warnings=list(warnings))
        return Prediction(values=values, warnings=list(warnings))
    value = float(output["value"])
    if not np.isfinite(value):
        return Prediction(error=f"the model's answer is {value}", warnings=list(warnings))
    return Prediction(value=value, warnings=list(warnings))


def _to_classification(signature: Signature, output: Mapping[str, Any], warnings: list[str]) -> Prediction:
    scores = [float(score) for score in output["probabilities"]]
    if not np.isfinite(scores).all():
        return Prediction(error="the model's probabilities are not numbers", warnings=warnings)
    probabilities = dict(zip(signature.labels or [], scores, strict=True))
    if signature.task is Task.MULTILABEL:
        applying = [name for name, applies in zip(probabilities, output["label"], strict=True) if applies]
        likeliest = sorted(applying, key=lambda name: -probabilities[name])
        return Prediction(labels=likeliest, probabilities=probabilities, warnings=warnings)
    label = str(output["label"])
    return Prediction(label=label, probability=probabilities.get(label), probabilities=probabilities, warnings=warnings)


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(repr(name[:100]) for name in names[:_MAX_NAMES]) + rest
