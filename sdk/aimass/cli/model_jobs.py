"""`aimass compress`, `aimass fuse` and `aimass decompose`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from aimass.cli import options
from aimass.cli.estimates import show_estimate
from aimass.cli.following import follow
from aimass.cli.output import Output, OutputFormat, client_of
from aimass.cli.quantities import to_bytes, to_seconds
from aimass_core.domain.compression import CompressionMethod
from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.fusion import FusionMethod, Placement
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.model_jobs import Device

_GATE = "gate."

MaxLatencyMs = Annotated[float | None, typer.Option(help="Of one row, median, with the device's threads.")]
DeviceName = Annotated[
    Device | None, typer.Option("--device", help="Where it is to answer; default: lambda-1769mb, one processor.")
]
Metric = Annotated[str | None, typer.Option(help="Default: the task's primary metric.")]
ResultName = Annotated[str | None, typer.Option("--model", help="Default: a new version of the (first) model.")]
JudgeDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="What judges the models; needed of a model that no job has trained. Default: the data that the (first) "
        "model was trained with, split as then.",
    ),
]


def compress(
    context: typer.Context,
    parent: Annotated[str, typer.Argument(help="`name` or `name@version` of a model.")],
    max_model_bytes: options.MaxModelBytes = None,
    max_latency_ms: MaxLatencyMs = None,
    max_metric_drop: Annotated[
        float | None,
        typer.Option(help="What the metric may lose; of rmse and mae as a share of the original's. Default: 0.01."),
    ] = None,
    device: DeviceName = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--methods",
            "--method",
            help=f"Only these: {', '.join(CompressionMethod)}. Commas between, or repeated. Default: all that fit.",
        ),
    ] = None,
    dataset: JudgeDataset = None,
    target: options.Targets = None,
    validation: options.Validation = None,
    test: options.Test = None,
    exclude: options.Exclude = None,
    metric: Metric = None,
    model: ResultName = None,
    seed: options.Seed = 0,
    budget: options.Budget = None,
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
    """Make a model smaller and faster, within limits that are measured. docs/COMPRESSION.md"""
    arguments: dict[str, Any] = dict(
        max_model_bytes=to_bytes(max_model_bytes, option="--max-model-bytes"),
        max_latency_ms=max_latency_ms,
        max_metric_drop=max_metric_drop,
        device=device,
        methods=options.split_names(methods),
        data=to_data(context.params),
        metric=metric,
        model=model,
        seed=seed,
        max_seconds=None if budget is None else to_seconds(budget, option="--budget"),
        **options.given_compute(context),
    )
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(parent, kind=JobKind.COMPRESS, **arguments), output=output)
        return
    follow(jobs.compress(parent, **arguments), detach=detach, deploy=deploy, output=output)


def fuse(
    context: typer.Context,
    members: Annotated[list[str], typer.Argument(help="Models, each `name` or `name@version`; two at least.")],
    method: Annotated[FusionMethod | None, typer.Option(help="Default: the best of those that fit the task.")] = None,
    placement: Annotated[
        Placement | None, typer.Option(help="Default: one_graph; apart where that misses --max-model-bytes.")
    ] = None,
    out_of_fold: Annotated[
        int | None,
        typer.Option(metavar="FOLDS", help="Train the members again in so many folds, so that all rows fit."),
    ] = None,
    max_model_bytes: options.MaxModelBytes = None,
    max_latency_ms: MaxLatencyMs = None,
    device: DeviceName = None,
    dataset: JudgeDataset = None,
    target: options.Targets = None,
    validation: options.Validation = None,
    test: options.Test = None,
    exclude: options.Exclude = None,
    metric: Metric = None,
    model: ResultName = None,
    seed: options.Seed = 0,
    budget: options.Budget = None,
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
    """Combine models of the same task into one. docs/COMPRESSION.md"""
    arguments: dict[str, Any] = dict(
        method=method,
        placement=placement,
        out_of_fold=out_of_fold,
        max_model_bytes=to_bytes(max_model_bytes, option="--max-model-bytes"),
        max_latency_ms=max_latency_ms,
        device=device,
        data=to_data(context.params),
        metric=metric,
        model=model,
        seed=seed,
        max_seconds=None if budget is None else to_seconds(budget, option="--budget"),
        **options.given_compute(context),
    )
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(members, kind=JobKind.FUSE, **arguments), output=output)
        return
    follow(jobs.fuse(members, **arguments), detach=detach, deploy=deploy, output=output)


def decompose(
    context: typer.Context,
    dataset: options.DatasetArgument,
    method: Annotated[
        DecompositionMethod | None, typer.Option(help="Default: of those that fit the task the best for its cost.")
    ] = None,
    experts: Annotated[int | None, typer.Option(help="How many; default: tried out.")] = None,
    active: Annotated[
        int | None, typer.Option(help="Experts that a row is given to at most; default: 1, or 2 where that pays.")
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option("--algorithm", "-a", help="Of the experts; default: the single model's, smaller.")
    ] = None,
    framework: options.Framework = None,
    gate_algorithm: Annotated[str | None, typer.Option(help="Default: as the method needs one.")] = None,
    hyperparameter: Annotated[
        list[str] | None,
        typer.Option(
            "--hyperparameter", "-H", help="name=value of the experts, gate.name=value of the gate; may be repeated."
        ),
    ] = None,
    single: Annotated[
        str | None, typer.Option(metavar="MODEL", help="To compare with; default: one is trained.")
    ] = None,
    max_model_bytes: options.MaxModelBytes = None,
    max_latency_ms: MaxLatencyMs = None,
    device: DeviceName = None,
    metric: Metric = None,
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
    budget: options.Budget = None,
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
    """Split a task among small experts. docs/COMPRESSION.md"""
    fixed = options.to_hyperparameters(hyperparameter or [])
    expert, gate = to_parts(algorithm, gate_algorithm, framework=framework, fixed=fixed)
    arguments: dict[str, Any] = dict(
        method=method,
        num_experts=experts,
        num_active=active,
        expert=expert,
        gate=gate,
        single=single,
        max_model_bytes=to_bytes(max_model_bytes, option="--max-model-bytes"),
        max_latency_ms=max_latency_ms,
        device=device,
        metric=metric,
        max_seconds=None if budget is None else to_seconds(budget, option="--budget"),
        **options.given(context),
    )
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(dataset, kind=JobKind.DECOMPOSE, **arguments), output=output)
        return
    follow(jobs.decompose(dataset, **arguments), detach=detach, deploy=deploy, output=output)


def to_data(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """What judges the models, where options say so."""
    given = {
        "validation": params["validation"],
        "test": params["test"],
        "target": options.to_target(params["target"]),
        "exclude_columns": list(params["exclude"] or []) or None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if params["dataset"] is not None:
        return {"dataset": params["dataset"], **chosen}
    if chosen:
        option = "exclude" if "exclude_columns" in chosen else next(iter(chosen))
        raise typer.BadParameter(
            f"--{option} says something of the data that judges the models: name it too, with --dataset",
            param_hint=f"--{option}",
        )
    return None


def to_parts(
    algorithm: str | None, gate_algorithm: str | None, *, framework: str | None, fixed: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """What the experts are trained as, and the gate; None where options do not say it."""
    of_gate = {name.removeprefix(_GATE): value for name, value in fixed.items() if name.startswith(_GATE)}
    of_expert = {name: value for name, value in fixed.items() if not name.startswith(_GATE)}
    if algorithm is None and (of_expert or framework):
        option = "--hyperparameter" if of_expert else "--framework"
        raise typer.BadParameter("it is of the experts' algorithm: name that with --algorithm", param_hint=option)
    if gate_algorithm is None and of_gate:
        raise typer.BadParameter(
            f"{_GATE}{next(iter(of_gate))} is of the gate's algorithm: name that with --gate-algorithm",
            param_hint="--hyperparameter",
        )
    return _part(algorithm, of_expert, framework=framework), _part(gate_algorithm, of_gate)


def _part(
    algorithm: str | None, hyperparameters: dict[str, Any], *, framework: str | None = None
) -> dict[str, Any] | None:
    if algorithm is None:
        return None
    return {
        "algorithm": algorithm,
        "hyperparameters": hyperparameters,
        **({} if framework is None else {"framework": framework}),
    }
