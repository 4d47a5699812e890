"""What a request for batch predictions comes to: whether the model can read the data, and what is written where."""

import re

from aimass_core.domain.batch_predictions import PredictSpec, answer_columns
from aimass_core.domain.common import NAME_PATTERN
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import ErrorDetail, InvalidDataError, InvalidRequestError
from aimass_core.services.job_channels import Channel
from aimass_core.services.job_models import GivenModel

_DATASET = "body.spec.dataset"
_MAX_NAMES = 10
_SCALARS = set(ColumnType) - {ColumnType.IMAGE, ColumnType.SERIES}
# As what else a column can be read. Of text, a cell that does not fit is an error of its row alone.
_READABLE_AS: dict[ColumnType, set[ColumnType]] = {
    ColumnType.STRING: _SCALARS,
    ColumnType.INTEGER: {ColumnType.NUMBER, ColumnType.STRING},
    ColumnType.NUMBER: {ColumnType.INTEGER, ColumnType.STRING},
    ColumnType.BOOLEAN: {ColumnType.STRING},
}


def complete(spec: PredictSpec, data: Channel, model: GivenModel) -> PredictSpec:
    """The spec with explicit versions and the name of its output.

    Raises InvalidRequestError where the model reads no rows or a name does not fit, InvalidDataError where the dataset
    lacks what it reads.
    """
    _check_model(model)
    _check_reads(model, data)
    _check_keys(spec, data, model.signature)
    name = data.version.dataset_name
    output = spec.output or f"{name}-predictions"
    if re.fullmatch(NAME_PATTERN, output) is None:
        raise _refuse("output", f"The job would write the dataset {output!r}, which is too long. Name a shorter one.")
    if output == name:
        raise _refuse("output", f"The answers would replace {name!r}, which they are made from. Name another dataset.")
    found = {"model": model.name, "dataset": f"{name}@{data.version.number}", "output": output}
    return spec.model_copy(update=found)


def _check_model(model: GivenModel) -> None:
    signature = model.signature
    if signature.task is Task.CUSTOM or any(each.column is None or not each.column_type for each in signature.inputs):
        raise model.refuse(
            f"{model.name} takes tensors, not the columns of a dataset. Leave a signature.json that tells its task and "
            "names columns beside it."
        )


def _check_reads(model: GivenModel, data: Channel) -> None:
    signature, schema = model.signature, data.schema
    faults = []
    for spec in signature.inputs:
        column = schema.column(str(spec.column))
        if column is None:
            faults.append(f"column {spec.column!r} is missing")
        elif not _is_readable(column.type, spec.column_type, signature.task):
            faults.append(f"column {spec.column!r} is {column.type}, not {spec.column_type}")
    if faults:
        raise InvalidDataError(
            f"{model.name} cannot read {data.version.dataset_name}@{data.version.number}: "
            f"{'; '.join(faults[:_MAX_NAMES])}. Give data that have the columns which it was trained with.",
            details=[ErrorDetail(location=_DATASET, message=fault) for fault in faults[:_MAX_NAMES]],
        )


def _is_readable(found: ColumnType, wanted: ColumnType | None, task: Task) -> bool:
    """A forecast is made from series, or from each row of a table and those before it."""
    if task is Task.FORECASTING and found in (ColumnType.INTEGER, ColumnType.NUMBER):
        return True
    return wanted in {found, *_READABLE_AS.get(found, set())}


def _check_keys(spec: PredictSpec, data: Channel, signature: Signature) -> None:
    own = set(answer_columns(signature))
    for index, key in enumerate(spec.keys):
        location = f"keys.{index}"
        column = data.schema.column(key)
        if column is None:
            names = ", ".join(repr(each.name) for each in data.schema.columns[:_MAX_NAMES])
            raise _refuse(location, f"{data.version.dataset_name} has no column {key!r}. It has: {names}.")
        if column.type is ColumnType.IMAGE:
            raise _refuse(location, f"The column {key!r} holds images, which are no keys. `row` says which it was.")
        if key in own:
            raise _refuse(
                location,
                f"The answers have a column {key!r} of their own. Rename that of the dataset with a recipe, or leave "
                "it out: `row` says which row it was.",
            )
        if key in spec.keys[:index]:
            raise _refuse(location, f"The column {key!r} is named twice.")


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.spec.{field}", message=message)])
