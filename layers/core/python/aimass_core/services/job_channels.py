"""Which data a training job gets: references are resolved, checked against the request and pinned by digest."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aimass_core.domain import keys
from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmSpec
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.grants import GrantKind
from aimass_core.domain.jobs import PinnedDataset, ScriptSpec
from aimass_core.domain.recipes import DATA_CHANNEL, PrepareSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind, Schema
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import ConflictError, ErrorDetail, InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Check, Ports, Row
from aimass_core.services import grants, records

_MAX_NAMES = 10
_NUMERIC = {ColumnType.INTEGER, ColumnType.NUMBER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A dataset version that a job reads, as it is now."""

    name: str
    version: DatasetVersion
    schema: Schema
    grant: Row | None = None
    """Of a dataset of another workspace: what lets this one read it."""

    def to_pin(self) -> PinnedDataset:
        """What the job keeps of it."""
        return PinnedDataset(
            dataset_id=self.version.dataset_id,
            dataset_name=self.version.dataset_name,
            number=self.version.number,
            digest=str(self.version.digest),
            workspace_id=None if self.grant is None else self.version.workspace_id,
        )

    def to_checks(self) -> list[Check]:
        """Hold the version, and the grant, in place in the transaction that writes the job."""
        key = keys.row(self.version.workspace_id, "dataset_version", self.version.dataset_id, self.version.number)
        of_version = Check(key=key, expected=self.version.revision)
        if self.grant is None:
            return [of_version]
        return [of_version, Check(key=self.grant.key, expected=self.grant.revision)]


def resolve(
    ports: Ports, workspace_id: str, spec: LearningSpec | ScriptSpec | PrepareSpec | PredictSpec
) -> list[Channel]:
    """The channels of a job: a script's own; `data` and what a recipe joins; of a training `train`, and `validation`
    and `test` where asked for.

    Raises NotFoundError for an unknown dataset or version, ConflictError for one that is not READY.
    """
    references: Mapping[str, str | None]
    if isinstance(spec, ScriptSpec):
        references = spec.channels
    elif isinstance(spec, PredictSpec):
        references = {DATA_CHANNEL: spec.dataset}
    elif isinstance(spec, PrepareSpec):
        references = {DATA_CHANNEL: spec.dataset, **spec.recipe.joins}
    else:
        references = {"train": spec.dataset, "validation": spec.validation, "test": spec.test}
    given = {name: reference for name, reference in references.items() if reference is not None}
    return resolve_references(ports, workspace_id, given)


def resolve_references(ports: Ports, workspace_id: str, references: Mapping[str, str]) -> list[Channel]:
    """A channel for each reference; a dataset may also be named by its id, which is the only name that one of another
    workspace has here, where that has granted it. Raises as `resolve` does."""
    return [_resolve_channel(ports, workspace_id, name, reference) for name, reference in references.items()]


def resolve_pins(ports: Ports, workspace_id: str, pins: dict[str, PinnedDataset]) -> list[Channel]:
    """The channels of a job that is run again: the same bytes, or ConflictError where they are gone."""
    channels = []
    for name, pin in pins.items():
        grant = require_grant(ports, workspace_id, pin)
        owner_id = pin.workspace_id or workspace_id
        if ports.registry.get(keys.row(owner_id, Dataset.resource, pin.dataset_id)) is None:
            raise ConflictError(f"The dataset {pin.dataset_name!r} that the job used was deleted. Submit a new job.")
        version = records.get(ports, DatasetVersion, owner_id, pin.dataset_id, pin.number)
        channel = _load_channel(ports, name, version, grant=grant)
        if channel.version.digest != pin.digest:
            raise ConflictError(
                f"Version {pin.number} of the dataset {pin.dataset_name!r} is not the one that the job used. "
                "Submit a new job."
            )
        channels.append(channel)
    return channels


def require_grant(ports: Ports, workspace_id: str, pin: PinnedDataset) -> Row | None:
    """What lets the workspace read a dataset of another's; None for one of its own. Raises ConflictError."""
    if pin.workspace_id is None:
        return None
    grant = grants.find_shared(ports, workspace_id, GrantKind.DATASET, pin.dataset_id)
    if grant is None:
        raise ConflictError(
            f"The dataset {pin.dataset_name!r} is another workspace's, which has taken its grant back. Ask it for one, "
            "and submit a new job."
        )
    return grant


def resolve_target(spec: LearningSpec, train: Channel, *, dataset_target: str | None) -> str | list[str]:
    """The target's column, or one for each label.

    Raises InvalidRequestError where there is none, InvalidDataError where it does not exist.
    """
    target = spec.target or train.version.target or train.schema.target or dataset_target
    if target is None:
        raise InvalidRequestError(
            f"Neither the job nor the dataset {train.version.dataset_name!r} names a target. "
            f"Name one of its columns: {_names(column.name for column in train.schema.columns)}.",
            details=[ErrorDetail(location="body.spec.target", message="is missing")],
        )
    _require_columns(train.schema, _listed(target), location="body.spec.target")
    return target


def check(spec: LearningSpec, channels: Sequence[Channel], *, target: str | list[str]) -> None:
    """Raises InvalidRequestError or InvalidDataError where the request and its data do not fit together."""
    train = channels[0]
    if spec.folds is not None and spec.validation is not None:
        raise InvalidRequestError(
            "Cross-validation (folds) and a validation dataset exclude each other. Leave one of them out.",
            details=[ErrorDetail(location="body.spec.folds", message="excludes validation")],
        )
    _require_columns(train.schema, spec.exclude_columns, location="body.spec.exclude_columns")
    targets = _listed(target)
    if excluded := set(targets) & set(spec.exclude_columns):
        raise InvalidRequestError(
            f"The target {_names(sorted(excluded))} is among the excluded columns. Take it out of exclude_columns.",
            details=[ErrorDetail(location="body.spec.exclude_columns", message="holds the target")],
        )
    if spec.time_column is not None:
        _require_columns(train.schema, [spec.time_column], location="body.spec.time_column")
    used = [column.name for column in train.schema.columns if column.name not in {*targets, *spec.exclude_columns}]
    if not used:
        raise InvalidDataError(
            f"Without the target and the excluded columns, nothing is left of {train.version.dataset_name!r} "
            "to learn from.",
            details=[ErrorDetail(location="body.spec.exclude_columns", message="leaves no column")],
        )
    for channel in channels[1:]:
        _check_compatible(train, channel, [*used, *targets])


def _listed(target: str | list[str]) -> list[str]:
    return target if isinstance(target, list) else [target]


def _resolve_channel(ports: Ports, workspace_id: str, name: str, reference: str) -> Channel:
    dataset_name, number = split_ref(reference)
    dataset, grant = _find_dataset(ports, workspace_id, dataset_name)
    number = number or dataset.latest_version
    if number is None:
        raise ConflictError(
            f"The dataset {dataset.name!r} has no version that is READY. Upload a file first, or wait until it is in."
        )
    version = records.get_version(ports, DatasetVersion, dataset, number)
    return _load_channel(ports, name, version, grant=grant)


def _find_dataset(ports: Ports, workspace_id: str, reference: str) -> tuple[Dataset, Row | None]:
    """One of the workspace's own, or by its id one of another's with the grant."""
    try:
        return records.find(ports, Dataset, workspace_id, reference), None
    except NotFoundError:
        grant = grants.find_shared(ports, workspace_id, GrantKind.DATASET, reference)
        if grant is None:
            raise
    return records.get(ports, Dataset, str(grant.data["workspace_id"]), reference), grant


def _load_channel(ports: Ports, name: str, version: DatasetVersion, *, grant: Row | None) -> Channel:
    if version.status is not DatasetVersionStatus.READY:
        reason = f" ({version.status_reason})" if version.status_reason else ""
        raise ConflictError(
            f"Version {version.number} of the dataset {version.dataset_name!r} is {version.status}, not READY{reason}."
        )
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "schema.json")
    blob = ports.lake.get(key)
    return Channel(name=name, version=version, schema=Schema.model_validate_json(blob), grant=grant)


def check_kind(algorithm: AlgorithmSpec, train: Channel) -> None:
    """Raises InvalidDataError where the algorithm cannot learn from such data."""
    kind = train.schema.kind
    if algorithm.fits(kind):
        return
    words = {DatasetKind.TABLE: "a table", DatasetKind.IMAGES: "images"}
    raise InvalidDataError(
        f"The algorithm {algorithm.name!r} learns from {' or '.join(algorithm.kinds)}, but the dataset "
        f"{train.version.dataset_name!r} is {words[kind]}. Use one of: {', '.join(registry.fitting(kind))}.",
        details=[ErrorDetail(location="body.spec.algorithm", message=f"does not fit {words[kind]}")],
    )


def _require_columns(schema: Schema, names: Sequence[str], *, location: str) -> None:
    known = [column.name for column in schema.columns]
    missing = [name for name in names if name not in set(known)]
    if not missing:
        return
    close = difflib.get_close_matches(missing[0], known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"It has: {_names(known)}."
    raise InvalidDataError(
        f"The dataset has no column {_names(missing)}. {hint}",
        details=[ErrorDetail(location=location, message=f"no column {name!r}") for name in missing[:_MAX_NAMES]],
    )


def _check_compatible(train: Channel, other: Channel, names: Sequence[str]) -> None:
    faults = []
    for name in names:
        ours, theirs = train.schema.column(name), other.schema.column(name)
        if theirs is None:
            faults.append(f"column {name!r} is missing")
        elif ours is not None and ours.type is not theirs.type and not {ours.type, theirs.type} <= _NUMERIC:
            faults.append(f"column {name!r} is {theirs.type}, not {ours.type}")
    if faults:
        raise InvalidDataError(
            f"The {other.name} dataset {other.version.dataset_name!r} does not fit the training data: "
            f"{'; '.join(faults[:_MAX_NAMES])}. Give it the same columns, or exclude those.",
            details=[ErrorDetail(location=f"body.spec.{other.name}", message=fault) for fault in faults[:_MAX_NAMES]],
        )


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _MAX_NAMES} more" if len(listed) > _MAX_NAMES else ""
    return ", ".join(repr(name) for name in listed[:_MAX_NAMES]) + rest
