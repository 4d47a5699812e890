"""Estimates a job from the profile of its data, its algorithm and its compute.

The work of a training is rows x passes x (a fixed part + a part for each encoded feature or pixel), in microseconds
of one processor. Estimated and taken, in seconds, on two busy processors of the local cloud: adult (32,561 rows) with
linear 25 and 11, xgboost 33 and 7, mlp 33 and 26; 10,000 images of fashion-mnist with 4 epochs of cnn 35 and 54. The
figures of text and series are not measured. A factor of five covers these; it is no promise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aimass_core.domain import keys
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.common import Principal
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.estimates import JobEstimate, Span
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import JobCreate, ScriptSpec, TrainSpec
from aimass_core.domain.schemas import ColumnProfile, ColumnType, DatasetKind, Profile
from aimass_core.domain.study_specs import StudySpec
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import job_defaults, job_plans, prices
from aimass_core.services.job_channels import Channel
from aimass_core.services.prices import Machine

UNCERTAINTY = 5.0
_MEMORY_UNCERTAINTY = 2.0
_MIB = 1024**2
_START_SECONDS = 20.0
_READ_BYTES_PER_SECOND = 30e6
_MAX_CATEGORIES = 50
_DEFAULT_PIXELS = 64 * 64 * 3
_ARTIFACTS_MIB = 100
# Of a fuse job: each member answers every row and is measured, and all ways to combine are fitted six times.
_MEMBER_SECONDS, _FUSED_ROW_SECONDS, _FUSING_SECONDS = 3.0, 50e-6, 10.0
# The hyperparameters that say how often an algorithm goes over the data, and how much of that is done on average.
_PASSES = {"epochs": 0.6, "num_rounds": 0.4, "num_trees": 1.0, "n_estimators": 1.0, "max_iterations": 0.1}
_DEFAULT_PASSES = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Microseconds per row and pass, and MiB of the libraries."""

    fixed: float
    per_feature: float
    libraries_mib: float


_TREES = _Work(fixed=0.2, per_feature=0.012, libraries_mib=450)
# Measured with one label of two; each of several classes takes as long again.
_OBLIVIOUS_TREES = _Work(fixed=0.4, per_feature=0.03, libraries_mib=500)
_LINEAR = _Work(fixed=0.2, per_feature=0.02, libraries_mib=350)
_NETWORK = _Work(fixed=20, per_feature=0.06, libraries_mib=900)
_IMAGES = _Work(fixed=50, per_feature=1.2, libraries_mib=900)
_SEQUENCES = _Work(fixed=300, per_feature=1.0, libraries_mib=900)
_WORK: Mapping[str, _Work] = {
    "xgboost": _TREES,
    "lightgbm": _TREES,
    "catboost": _OBLIVIOUS_TREES,
    "random_forest": _TREES,
    "extra_trees": _TREES,
    "linear": _LINEAR,
}
_WORK_OF_KIND = {DataKind.IMAGES: _IMAGES, DataKind.TEXT: _SEQUENCES, DataKind.SERIES: _SEQUENCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    num_rows: int
    num_columns: int
    num_bytes: int
    num_features: int
    raw_bytes: int


def estimate(ports: Ports, principal: Principal, request: JobCreate) -> JobEstimate:
    """Raises what submitting the same request would raise; nothing is submitted."""
    request = job_defaults.apply(ports, principal.workspace_id, request)
    plan = job_plans.resolve(ports, principal.workspace_id, request)
    table, machine = prices.load(), prices.load().machine(request.compute)
    rate = prices.rate_of(request)
    data = [_measure(ports, channel) for channel in plan.channels]
    notes = [f"Times and costs are orders of magnitude: within a factor of {UNCERTAINTY:g} either way."]
    seconds = memory = None
    if isinstance(plan.spec, TrainSpec):
        seconds = _to_span(_seconds(plan.spec, data, machine), UNCERTAINTY)
        memory = _to_span(_memory_mib(plan.spec, data), _MEMORY_UNCERTAINTY)
        notes += _warn(plan.spec, seconds, memory, machine, max_seconds=plan.max_seconds)
    elif isinstance(plan.spec, StudySpec):
        # Its trials end early enough for what follows them, but their number is not foretold by max_trials alone.
        least = plan.max_seconds if plan.spec.max_trials is None else _START_SECONDS
        seconds = Span(low=least, expected=plan.max_seconds, high=plan.max_seconds)
        memory = _to_span(max(_memory_mib(spec, data) for spec in plan.trainings), _MEMORY_UNCERTAINTY)
        notes = ["A study takes the time that it is given (max_seconds), unless it reaches max_trials before."]
        notes += _warn_memory(memory, machine)
    elif isinstance(plan.spec, CompressSpec | FuseSpec | DecomposeSpec):
        seconds = _bound(plan.spec, data, max_seconds=plan.max_seconds)
        memory = _to_span(_memory_of_models_mib(data), _MEMORY_UNCERTAINTY)
        if seconds.expected == plan.max_seconds:
            notes = [
                f"A {plan.spec.kind} job takes the time that it is given (max_seconds), unless all that fits is tried "
                "before: no more can be foretold."
            ]
        notes += _warn_memory(memory, machine)
    else:
        what = f"a {plan.spec.kind} job"
        notes = [f"How long {what} runs and what memory it takes is not known: only its limits bound the cost."]
    if rate is None:
        notes.append(f"There is no price of {request.compute.instance_type} in the table, so there is no cost.")
    num_bytes = sum(each.num_bytes for each in data)
    model_bytes = sum(model.version.model_bytes for model in plan.models)
    copies_mib = sum(each.raw_bytes for each in data if isinstance(plan.spec, ScriptSpec)) / _MIB
    return JobEstimate(
        seconds=seconds,
        memory_mib=memory,
        disk_mib=round((num_bytes + model_bytes) / _MIB + copies_mib) + _ARTIFACTS_MIB,
        cost_usd=None if rate is None or seconds is None else _scale(seconds, rate / 3600),
        usd_per_hour=None if rate is None else round(rate, 6),
        max_seconds=plan.max_seconds,
        max_cost_usd=None if rate is None else round(plan.max_seconds * rate / 3600, 6),
        budget=plan.budget,
        num_rows=sum(each.num_rows for each in data),
        num_columns=data[0].num_columns if data else 0,
        num_bytes=num_bytes,
        price_source=f"{table.source}; {table.region}, {table.as_of}",
        notes=notes,
    )


def _bound(spec: CompressSpec | FuseSpec | DecomposeSpec, data: Sequence[_Data], *, max_seconds: int) -> Span:
    """Of a fusion of models that are there; all others try what there is time for."""
    least = min(_START_SECONDS + _reading_seconds(data), max_seconds)
    if not isinstance(spec, FuseSpec) or spec.out_of_fold is not None:
        return Span(low=round(least, 1), expected=max_seconds, high=max_seconds)
    num_members, num_rows = len(spec.members), sum(each.num_rows for each in data)
    answering = num_members * (_MEMBER_SECONDS + num_rows * _FUSED_ROW_SECONDS)
    found = _to_span(least + answering + _FUSING_SECONDS, UNCERTAINTY)
    limited = {name: min(value, float(max_seconds)) for name, value in found.model_dump().items()}
    return Span.model_validate(limited)


def _reading_seconds(data: Sequence[_Data]) -> float:
    return sum(each.num_bytes + each.raw_bytes for each in data) / _READ_BYTES_PER_SECOND


def _memory_of_models_mib(data: Sequence[_Data]) -> float:
    """All frameworks may be wanted; rows are in memory, once as they were read and once encoded."""
    encoded = sum(each.num_rows * each.num_features * 4 for each in data)
    return _NETWORK.libraries_mib + (2 * sum(each.raw_bytes for each in data) + encoded) / _MIB


def _measure(ports: Ports, channel: Channel) -> _Data:
    version = channel.version
    columns = channel.schema.columns
    num_rows = version.num_rows or 0
    if channel.schema.kind is DatasetKind.IMAGES:
        shape = channel.schema.image_shape
        pixels = shape.height * shape.width * shape.channels if shape else _DEFAULT_PIXELS
        num_features, raw_bytes = pixels, num_rows * pixels
    else:
        profiles = {profile.name: profile for profile in _load_profile(ports, channel)}
        num_features = sum(_num_features(column.type, profiles.get(column.name)) for column in columns)
        raw_bytes = num_rows * sum(_cell_bytes(column.type, profiles.get(column.name)) for column in columns)
    num_bytes = version.num_bytes or 0
    return _Data(
        num_rows=num_rows,
        num_columns=len(columns),
        num_bytes=num_bytes,
        num_features=num_features,
        # Cells that hold many values, as series do, are known by their files only.
        raw_bytes=max(raw_bytes, 2 * num_bytes),
    )


def _load_profile(ports: Ports, channel: Channel) -> Sequence[ColumnProfile]:
    version = channel.version
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "profile.json")
    try:
        return Profile.model_validate_json(ports.lake.get(key)).columns
    except BlobNotFoundError:
        return []


def _num_features(kind: ColumnType, profile: ColumnProfile | None) -> int:
    if kind is not ColumnType.STRING:
        return 1
    return _MAX_CATEGORIES if profile is None else min(profile.num_distinct or _MAX_CATEGORIES, _MAX_CATEGORIES)


def _cell_bytes(kind: ColumnType, profile: ColumnProfile | None) -> int:
    """As Python and Arrow hold it."""
    if kind is not ColumnType.STRING:
        return 8
    return 60 + round((profile.mean_length if profile else None) or 10)


def _work(spec: TrainSpec) -> _Work:
    algorithm = spec.resolve_algorithm()
    return _WORK.get(algorithm.name) or _WORK_OF_KIND.get(algorithm.kinds[0], _NETWORK)


def _seconds(spec: TrainSpec, data: Sequence[_Data], machine: Machine | None) -> float:
    work, train = _work(spec), data[0]
    chosen = spec.resolve_hyperparameters().model_dump()
    passes = next((chosen[name] * share for name, share in _PASSES.items() if chosen.get(name)), _DEFAULT_PASSES)
    fit = train.num_rows * passes * (work.fixed + work.per_feature * train.num_features) / 1e6
    num_fits = (spec.folds or 0) + 1 + spec.refit
    speed_up = float(max(machine.vcpus, 1)) ** 0.7 if machine else 1.0
    return _START_SECONDS + _reading_seconds(data) + num_fits * fit / speed_up


def _memory_mib(spec: TrainSpec, data: Sequence[_Data]) -> float:
    """Libraries, the columns as they were read, and the encoded matrix with one copy of it."""
    is_images = spec.resolve_algorithm().kinds[0] is DataKind.IMAGES
    matrices = 0 if is_images else sum(each.num_rows * each.num_features * 4 * 2 for each in data)
    return _work(spec).libraries_mib + (2 * sum(each.raw_bytes for each in data) + matrices) / _MIB


def _warn(spec: TrainSpec, seconds: Span, memory: Span, machine: Machine | None, *, max_seconds: int) -> list[str]:
    notes = []
    if seconds.expected > max_seconds:
        notes.append(
            f"It is expected to need {seconds.expected:,.0f} s, more than the limit of {max_seconds:,} s: raise "
            "max_seconds, or give it more compute."
        )
    is_streamed = spec.resolve_algorithm().implementations[spec.resolve_framework()].is_streamed and not spec.folds
    return notes + _warn_memory(memory, machine, is_streamed=is_streamed)


def _warn_memory(memory: Span, machine: Machine | None, *, is_streamed: bool = False) -> list[str]:
    if machine is None or memory.expected <= machine.memory_gib * 1024:
        return []
    advice = "ask for more, or train on less data"
    if is_streamed:
        advice = "it will read the data from disk, some rows at a time, which takes longer; ask for more to avoid it"
    return [
        f"It is expected to need {memory.expected:,.0f} MiB of memory, more than the "
        f"{machine.memory_gib * 1024:,.0f} MiB of its compute: {advice}."
    ]


def _to_span(expected: float, factor: float) -> Span:
    return Span(low=round(expected / factor, 1), expected=round(expected, 1), high=round(expected * factor, 1))


def _scale(span: Span, factor: float) -> Span:
    return Span(low=_usd(span.low * factor), expected=_usd(span.expected * factor), high=_usd(span.high * factor))


def _usd(value: float) -> float:
    return round(value, 6)
