"""`aimass search` and `aimass autotrain`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from aimass.cli import options
from aimass.cli.estimates import show_estimate
from aimass.cli.files import read_settings
from aimass.cli.following import follow
from aimass.cli.output import Output, OutputFormat, client_of
from aimass.cli.quantities import to_bytes, to_seconds
from aimass_core.domain.distributions import Distribution
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.study_specs import Preset, PrunerName, SamplerName
from aimass_core.errors import ErrorDetail, InvalidRequestError

_SPACE: TypeAdapter[dict[str, Distribution]] = TypeAdapter(dict[str, Distribution])
_TYPES = ("float", "int", "categorical")
_EXAMPLE = "{max_depth: {type: int, low: 2, high: 10}}"

MaxTrials = Annotated[int | None, typer.Option(help="Of the study in all; default: as time allows.")]
Workers = Annotated[int | None, typer.Option("--workers", help="Containers that try side by side; default: 1.")]
MaxLatencyMs = Annotated[float | None, typer.Option(help="Of one row, by ONNX Runtime on one thread.")]
StudyName = Annotated[
    str | None, typer.Option("--study", help="One of that name goes on, if there is one. Default: a new one.")
]


def search(
    context: typer.Context,
    dataset: options.DatasetArgument,
    algorithm: Annotated[
        list[str],
        typer.Option(
            "--algorithm",
            "-a",
            help="See: aimass algorithms list. With a framework: mlp:tensorflow. May be repeated.",
        ),
    ],
    space: Annotated[
        Path | None,
        typer.Option(help="A YAML file; default: the algorithm's own, which `aimass algorithms space` prints."),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="A metric, latency_ms or model_bytes, perhaps with :minimize or :maximize. May be repeated. Default: "
            "the task's primary metric."
        ),
    ] = None,
    sampler: Annotated[SamplerName | None, typer.Option(help="Default: as fits the space.")] = None,
    pruner: Annotated[PrunerName | None, typer.Option(help="Default: asha where there is one objective.")] = None,
    max_trials: MaxTrials = None,
    workers: Workers = None,
    budget: options.Budget = None,
    max_model_bytes: options.MaxModelBytes = None,
    max_latency_ms: MaxLatencyMs = None,
    study: StudyName = None,
    framework: options.Framework = None,
    hyperparameter: Annotated[
        list[str] | None,
        typer.Option(
            "--hyperparameter",
            "-H",
            help="name=value is fixed in all trials; of several algorithms algorithm.name=value. May be repeated.",
        ),
    ] = None,
    features: options.Features = "plain",
    resample: options.ResampleWay = None,
    validation: options.Validation = None,
    test: options.Test = None,
    target: options.Targets = None,
    task: options.TaskName = None,
    label_separator: options.LabelSeparator = None,
    model: options.ModelName = None,
    exclude: options.Exclude = None,
    folds: options.Folds = None,
    horizon: options.Horizon = None,
    window: options.Window = None,
    time_column: options.TimeColumn = None,
    seed: options.Seed = 0,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    spot: options.Spot = False,
    max_wait_seconds: options.MaxWaitSeconds = None,
    max_cost_usd: options.MaxCostUsd = None,
    dry_run: options.DryRun = False,
    deploy: options.Deploy = False,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Search for the best hyperparameters of one algorithm or of several. docs/STUDIES.md"""
    arguments: dict[str, Any] = {
        **options.given(context),
        "candidates": to_candidates(
            algorithm,
            spaces={} if space is None else read_spaces(space, algorithm),
            fixed=options.to_hyperparameters(hyperparameter or []),
            framework=framework,
            features=options.to_features(features),
            resample=resample,
        ),
        "objectives": [to_objective(words) for words in objective or []],
        "sampler": sampler,
        "pruner": pruner,
        "max_trials": max_trials,
        "num_workers": workers,
        "max_seconds": None if budget is None else to_seconds(budget, option="--budget"),
        "max_model_bytes": to_bytes(max_model_bytes, option="--max-model-bytes"),
        "max_latency_ms": max_latency_ms,
        "study": study,
    }
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(dataset, kind=JobKind.SEARCH, **arguments), output=output)
        return
    follow(jobs.search(dataset, **arguments), detach=detach, deploy=deploy, output=output)


def autotrain(
    context: typer.Context,
    dataset: options.DatasetArgument,
    budget: options.Budget = None,
    preset: Annotated[Preset | None, typer.Option(help="What it aims at; default: balanced.")] = None,
    algorithms: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithms",
            "--algorithm",
            "-a",
            help="Only these: xgboost,lightgbm; may be repeated. Default: all that fit the data.",
        ),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Default: the task's primary metric.")] = None,
    max_trials: MaxTrials = None,
    workers: Workers = None,
    max_model_bytes: options.MaxModelBytes = None,
    max_latency_ms: MaxLatencyMs = None,
    fuse: Annotated[
        bool, typer.Option("--fuse", help="Combine the best models in the best of all ways, not by weights alone.")
    ] = False,
    decompose: Annotated[
        bool,
        typer.Option(
            "--decompose", help="Split a table's task among small experts where that is better at equal cost."
        ),
    ] = False,
    study: StudyName = None,
    validation: options.Validation = None,
    test: options.Test = None,
    target: options.Targets = None,
    task: options.TaskName = None,
    label_separator: options.LabelSeparator = None,
    model: options.ModelName = None,
    exclude: options.Exclude = None,
    folds: options.Folds = None,
    horizon: options.Horizon = None,
    window: options.Window = None,
    time_column: options.TimeColumn = None,
    seed: options.Seed = 0,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    spot: options.Spot = False,
    max_wait_seconds: options.MaxWaitSeconds = None,
    max_cost_usd: options.MaxCostUsd = None,
    dry_run: options.DryRun = False,
    deploy: options.Deploy = False,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """From a dataset and a budget to the best model, in one file. docs/STUDIES.md"""
    arguments: dict[str, Any] = {
        **options.given(context),
        "preset": preset,
        "algorithms": options.split_names(algorithms),
        "metric": metric,
        "fuse": fuse,
        "decompose": decompose,
        "max_trials": max_trials,
        "num_workers": workers,
        "max_seconds": None if budget is None else to_seconds(budget, option="--budget"),
        "max_model_bytes": to_bytes(max_model_bytes, option="--max-model-bytes"),
        "max_latency_ms": max_latency_ms,
        "study": study,
    }
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(dataset, kind=JobKind.AUTOTRAIN, **arguments), output=output)
        return
    follow(jobs.autotrain(dataset, **arguments), detach=detach, deploy=deploy, output=output)


def to_candidates(
    algorithms: Sequence[str],
    *,
    spaces: Mapping[str, Mapping[str, Any]],
    fixed: Mapping[str, Any],
    **fields: Any,
) -> list[dict[str, Any]]:
    """The algorithms with what is searched and what is fixed of each.

    Args:
        algorithms: Their names, each perhaps with a framework: `mlp:tensorflow`.
        spaces: By algorithm, as it is called among `algorithms`.
        fixed: Values by hyperparameter, or where there are several algorithms by `algorithm.hyperparameter`.
        **fields: Of all of them alike, where they are not None.
    """
    own: dict[str, dict[str, Any]] = {name: {} for name in algorithms}
    for key, value in fixed.items():
        name, dot, hyperparameter = (algorithms[0], ".", key) if len(algorithms) == 1 else key.partition(".")
        if not dot or name not in own:
            example = f"{algorithms[0]}.{hyperparameter or key}=..."
            raise typer.BadParameter(
                f"{key!r}: of several algorithms name the one that it belongs to, as in {example}",
                param_hint="--hyperparameter",
            )
        own[name][hyperparameter] = value
    given = {name: value for name, value in fields.items() if value is not None}
    return [
        {
            **given,
            **_named(name),
            **({"hyperparameters": own[name]} if own[name] else {}),
            **({"space": spaces[name]} if name in spaces else {}),
        }
        for name in own
    ]


def _named(words: str) -> dict[str, str]:
    """`mlp`, or with a framework `mlp:tensorflow`."""
    algorithm, colon, framework = words.partition(":")
    return {"algorithm": algorithm, "framework": framework} if colon else {"algorithm": algorithm}


def to_objective(words: str) -> dict[str, str]:
    """`roc_auc`, or with a direction `roc_auc:maximize`."""
    metric, colon, direction = words.partition(":")
    return {"metric": metric, "direction": direction} if colon else {"metric": metric}


def read_spaces(path: Path, algorithms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The search spaces of a file by algorithm: one of one algorithm, or several under their names.

    Raises:
        InvalidRequestError: A distribution is not valid; one detail for each fault, which names the hyperparameter.
    """
    found = read_settings(path, option="--space", example=_EXAMPLE)
    if not found or set(found) - set(algorithms):
        if len(algorithms) > 1:
            raise typer.BadParameter(
                f"{path} is for several algorithms, so it has their names at the top: {', '.join(algorithms)}; it has "
                f"{', '.join(map(str, found)) or 'nothing'}",
                param_hint="--space",
            )
        found = {algorithms[0]: found}
    for name, space in found.items():
        _check_space(path, space, prefix=f"{name}." if len(algorithms) > 1 else "")
    return found


def _check_space(path: Path, space: Any, *, prefix: str) -> None:
    try:
        _SPACE.validate_python(space)
    except ValidationError as error:
        details = [
            ErrorDetail(
                location=prefix + ".".join(str(part) for part in fault["loc"] if part not in _TYPES),
                message=fault["msg"].removeprefix("Value error, "),
            )
            for fault in error.errors(include_url=False)
        ]
        raise InvalidRequestError(f"{path} is no search space.", details=details) from error
