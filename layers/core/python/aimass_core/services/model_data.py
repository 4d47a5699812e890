"""Which data judge registered models: those that the first of them was trained with, or such as the request names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aimass_core.domain.artifacts import PinnedDataset
from aimass_core.domain.jobs import Job
from aimass_core.domain.model_jobs import ModelJobSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import ConflictError, ErrorDetail, InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import job_channels, records
from aimass_core.services.job_channels import Channel
from aimass_core.services.job_models import GivenModel

_SPEC, _DATA = "body.spec.", "body.spec.data"
_CHANNELS = {"train": "dataset", "validation": "validation", "test": "test"}
_MAX_NAMES = 10
_NUMERIC = {ColumnType.INTEGER, ColumnType.NUMBER}


def resolve(
    ports: Ports, workspace_id: str, spec: ModelJobSpec, models: Sequence[GivenModel]
) -> tuple[LearningSpec, list[Channel]]:
    """The data as the job is to have them, and their channels.

    Raises InvalidRequestError or InvalidDataError where there are none, or they do not fit the models; ConflictError
    where those of the training are gone.
    """
    first = models[0]
    if spec.data is None:
        data, channels = _follow(ports, workspace_id, first)
    else:
        data, channels = _complete(ports, workspace_id, spec.data, models)
    for model in models:
        check_reads(model, channels[0], location=_DATA)
    check_forecast(first, data, location=_DATA)
    return data, channels


def check_reads(model: GivenModel, train: Channel, *, location: str) -> None:
    """Raises InvalidRequestError or InvalidDataError where a model cannot read such data."""
    signature, schema = model.signature, train.schema
    name = f"{train.version.dataset_name}@{train.version.number}"
    if signature.kind is not schema.kind:
        raise _refuse(location, f"{model.name} reads {signature.kind}, and {name} is of the kind {schema.kind}.")
    faults = []
    for spec in signature.inputs:
        if spec.column is None or spec.column_type is None:
            raise model.refuse(
                f"{model.name} does not say which column its input {spec.name!r} reads: a model whose inputs are "
                "tensors cannot be judged by a dataset. Leave a signature.json that names columns beside it."
            )
        column = schema.column(spec.column)
        if column is None:
            faults.append(f"column {spec.column!r} is missing")
        elif column.type is not spec.column_type and not {column.type, spec.column_type} <= _NUMERIC:
            faults.append(f"column {spec.column!r} is {column.type}, not {spec.column_type}")
    if faults:
        raise InvalidDataError(
            f"{model.name} cannot read {name}: {'; '.join(faults[:_MAX_NAMES])}. Give data that have the columns which "
            "it was trained with.",
            details=[ErrorDetail(location=location, message=fault) for fault in faults[:_MAX_NAMES]],
        )


def check_forecast(model: GivenModel, data: LearningSpec, *, location: str) -> None:
    """Raises InvalidRequestError where the data are cut into other windows than the model reads and answers."""
    horizon, window = forecast_of(model.signature)
    if data.horizon != horizon:
        wanted = "makes no forecast: leave the horizon out" if horizon is None else f"forecasts {horizon} rows ahead"
        raise _refuse(f"{location}.horizon", f"The horizon is {data.horizon}, and {model.name} {wanted}.")
    if window is not None and data.num_window_rows != window:
        raise _refuse(
            f"{location}.window",
            f"The window is {data.num_window_rows} rows, and {model.name} reads the latest {window}. Set it to that.",
        )


def forecast_of(signature: Signature) -> tuple[int | None, int | None]:
    """Horizon and window of a model; None of one that makes no forecast."""
    if signature.task is not Task.FORECASTING:
        return None, None
    horizon, window = signature.outputs[0].shape[-1], signature.inputs[0].shape[-1]
    return horizon, window if window > 0 else None


def find_training(ports: Ports, workspace_id: str, model: GivenModel) -> LearningSpec | None:
    """What a model was trained with, by explicit versions of datasets; None where no job of ours has trained it."""
    job = _find_maker(ports, workspace_id, model)
    return None if job is None else _learning_of(job)


def _find_maker(ports: Ports, workspace_id: str, model: GivenModel) -> Job | None:
    try:
        return records.get(ports, Job, workspace_id, model.version.job_id)
    except NotFoundError:
        return None


def _learning_of(job: Job) -> LearningSpec | None:
    """A model that was made of another has the data that judged it."""
    spec = job.spec.data if isinstance(job.spec, ModelJobSpec) else job.spec
    if not isinstance(spec, LearningSpec):
        return None
    fields = {name: getattr(spec, name) for name in LearningSpec.model_fields}
    references = {_CHANNELS[name]: _reference_of(pin) for name, pin in job.channels.items()}
    return LearningSpec.model_validate({**fields, **references, "model": None})


def _reference_of(pin: PinnedDataset) -> str:
    """A dataset of another workspace has no name here."""
    return f"{pin.dataset_name if pin.workspace_id is None else pin.dataset_id}@{pin.number}"


def _follow(ports: Ports, workspace_id: str, model: GivenModel) -> tuple[LearningSpec, list[Channel]]:
    """What the job that made the model had: the same version of each dataset, and split in the same way."""
    if model.version.part is not None:
        raise _needs_data(
            f"{model.name} is {model.version.part!r} of a decomposition: it answers a part of the question"
        )
    job = _find_maker(ports, workspace_id, model)
    data = None if job is None else _learning_of(job)
    if job is None or data is None:
        made_by = "was made by a script" if job is not None else "was made by a job that is not known any more"
        raise _needs_data(f"{model.name} {made_by}")
    try:
        return data, job_channels.resolve_pins(ports, workspace_id, job.channels)
    except (ConflictError, NotFoundError) as error:
        raise ConflictError(
            f"The data that {model.name} was trained with are gone: {error.message} Give `data` that judge it.",
            details=[ErrorDetail(location=_DATA, message="is needed: the data of the training are gone")],
        ) from error


def _complete(
    ports: Ports, workspace_id: str, data: LearningSpec, models: Sequence[GivenModel]
) -> tuple[LearningSpec, list[Channel]]:
    """What the request says, and where it is silent what the models say: the target, and how a forecast is cut."""
    signature = models[0].signature
    if data.model is not None:
        raise _refuse(f"{_DATA}.model", "The new model's name is the job's own `model`. Leave it out of the data.")
    if data.task not in (None, signature.task):
        raise _refuse(f"{_DATA}.task", f"The task is {data.task}, and {models[0].name} is a {signature.task} model.")
    _check_excluded(data, models)
    horizon, window = forecast_of(signature)
    if horizon is not None:
        data = data.model_copy(update={"horizon": data.horizon or horizon, "window": data.window or window})
    with _within_data():
        data.check_forecast()
        data.resolve_task()
        channels = job_channels.resolve(ports, workspace_id, data)
        target = _resolve_target(data, channels[0], signature)
        job_channels.check(data, channels, target=target)
    references = {_CHANNELS[each.name]: f"{each.version.dataset_name}@{each.version.number}" for each in channels}
    return data.model_copy(update={**references, "target": target}), channels


def _check_excluded(data: LearningSpec, models: Sequence[GivenModel]) -> None:
    for model in models:
        read = sorted({spec.column for spec in model.signature.inputs if spec.column} & set(data.exclude_columns))
        if read:
            raise _refuse(
                f"{_DATA}.exclude_columns",
                f"{model.name} reads {', '.join(map(repr, read[:_MAX_NAMES]))}: a model cannot do without a column "
                "that it was trained with. Take it out of exclude_columns.",
            )


def _resolve_target(data: LearningSpec, train: Channel, signature: Signature) -> str | list[str]:
    """Also the labels of a model may be columns, each of one label."""
    if data.target is None:
        known = {column.name for column in train.schema.columns}
        if signature.target in known:
            return signature.target
        if signature.task is Task.MULTILABEL and signature.labels and known >= set(signature.labels):
            return list(signature.labels)
    return job_channels.resolve_target(data, train, dataset_target=None)


@contextmanager
def _within_data() -> Iterator[None]:
    """Says of faults of a field of the data where that is."""
    try:
        yield
    except InvalidRequestError as error:
        details = [
            ErrorDetail(location=f"{_DATA}.{each.location.removeprefix(_SPEC)}", message=each.message)
            for each in error.details
        ]
        raise type(error)(error.message, details=details) from error


def _needs_data(reason: str) -> InvalidRequestError:
    return _refuse(_DATA, f"{reason}. Say which data judge it: give `data`, with the dataset at least.")


def _refuse(location: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=location, message=message)])
