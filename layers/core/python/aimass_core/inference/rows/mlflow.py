"""POST /v1/endpoints/{endpoint}/invocations: rows and answers in the forms of MLflow's scoring server.

See https://mlflow.org/docs/latest/deployment/deploy-model-locally.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

from aimass_core.domain.endpoints import Prediction, Predictions
from aimass_core.errors import InvalidRequestError, PayloadTooLargeError
from aimass_core.inference.limits import MAX_ROWS
from aimass_core.inference.messages import PredictionRequest
from aimass_core.inference.rows.bodies import Records, media_type_of, read_records
from aimass_core.lambda_support import json_body

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read(request: PredictionRequest, columns: Sequence[str]) -> Records:
    """The rows of a request: CSV, or one of MLflow's forms in JSON. Rows without names are in the order of `columns`.

    Raises:
        InvalidRequestError: It has none of the forms, or several.
        PayloadTooLargeError: Too many rows.
    """
    if media_type_of(request) != "application/json":
        return read_records(request, columns)
    document = json_body.parse_object(request.text())
    given = [name for name in _FORMS if name in document]
    if len(given) != 1:
        raise InvalidRequestError(f"The body has {len(given)} of {', '.join(_FORMS)}; send exactly one of them.")
    if document.get("params"):
        raise InvalidRequestError("This model takes no params. Leave them out.")
    unknown = sorted(document.keys() - {*given, "params"})
    if unknown:
        raise InvalidRequestError(f"The field {unknown[0][:100]!r} is not known beside {given[0]!r}.")
    rows = _read_form(given[0], document[given[0]], columns)
    if not rows:
        raise InvalidRequestError(f"{given[0]} has no rows.")
    if len(rows) > MAX_ROWS:
        raise PayloadTooLargeError(f"{len(rows)} rows are too many: at most {MAX_ROWS} are taken.")
    return Records(rows=rows)


def to_answer(answered: Predictions) -> dict[str, Any]:
    """`predictions` as MLflow's clients read them; a row that could not be read is null, and `errors` says why."""
    errors = {str(row): each.error for row, each in enumerate(answered.predictions) if each.error is not None}
    warnings = {str(row): each.warnings for row, each in enumerate(answered.predictions) if each.warnings}
    document: dict[str, Any] = {
        "predictions": [_value_of(each) for each in answered.predictions],
        "model_name": answered.model_name,
        "model_version": answered.model_version,
    }
    if errors:
        document["errors"] = errors
    if warnings or answered.warnings:
        document["warnings"] = {**({"request": answered.warnings} if answered.warnings else {}), **warnings}
    return document


def _read_form(name: str, value: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
    if name == "dataframe_split":
        parts = value if isinstance(value, dict) else {}
        names, data = parts.get("columns"), parts.get("data")
        if not _is_names(names) or not isinstance(data, list):
            raise InvalidRequestError('dataframe_split must be {"columns": ["a", ...], "data": [[1, ...], ...]}.')
        return _name_cells(name, data, names)
    if name == "inputs" and isinstance(value, dict):
        return _read_columns(value)
    if not isinstance(value, list):
        raise InvalidRequestError(f"{name} must be a list of rows, not {type(value).__name__}.")
    if all(isinstance(row, dict) for row in value):
        return list(value)
    if name == "dataframe_records":
        raise InvalidRequestError('dataframe_records must be [{"column": value, ...}, ...].')
    if len(columns) == 1:
        return [{columns[0]: cell} for cell in value]
    return _name_cells(name, value, columns)


def _name_cells(form: str, rows: Sequence[Any], columns: Sequence[str]) -> list[dict[str, Any]]:
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            found = f"has {len(row)} values" if isinstance(row, list) else "is no list"
            raise InvalidRequestError(
                f"Row {number} of {form} {found}; the {len(columns)} columns are: {', '.join(columns)[:1_000]}."
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _read_columns(value: dict[str, Any]) -> list[dict[str, Any]]:
    lengths = {name: len(cells) if isinstance(cells, list) else None for name, cells in value.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        words = ", ".join(f"{name}: {length}" for name, length in list(lengths.items())[:20])
        raise InvalidRequestError(f"Each of inputs must be a list, all of one length; they are {words or 'none'}.")
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _value_of(prediction: Prediction) -> Any:
    for value in (prediction.label, prediction.labels, prediction.value, prediction.values):
        if value is not None:
            return value
    return None


def _is_names(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value) and len(set(value)) == len(value)
