"""`aimass run`: a program of one's own as a job."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli import options
from aimass.cli.following import follow
from aimass.cli.output import Output, OutputFormat, client_of


def run(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="A folder, or a .tar.gz, .tar or .zip of one (`git archive`).")],
    entry_point: Annotated[str, typer.Option(help="The Python file to run.")] = "train.py",
    dataset: Annotated[str | None, typer.Option(help="The channel `train`: `name` or `name@version`.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="name=dataset; may be repeated.")] = None,
    hyperparameter: options.Hyperparameters = None,
    model: Annotated[str | None, typer.Option(help="Register what it leaves under this name, or fail.")] = None,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    gpus: Annotated[int | None, typer.Option()] = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    max_seconds: Annotated[
        int | None, typer.Option(help="Then the job is stopped. Default: as the settings say.")
    ] = None,
    max_cost_usd: options.MaxCostUsd = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run a program of your own, with SageMaker's conventions, and register the model that it leaves."""
    compute: dict[str, Any] = {
        "vcpus": vcpus,
        "memory_mib": memory_mib,
        "gpus": gpus,
        "backend": backend,
        "instance_type": instance_type,
    }
    job = client_of(context).jobs.run_script(
        source,
        entry_point=entry_point,
        dataset=dataset,
        channels=dict(_to_channel(pair) for pair in channel or []),
        hyperparameters=options.to_hyperparameters(hyperparameter or []),
        model=model,
        max_seconds=max_seconds,
        max_cost_usd=max_cost_usd,
        **{name: value for name, value in compute.items() if value is not None},
    )
    follow(job, detach=detach, output=output)


def _to_channel(pair: str) -> tuple[str, str]:
    name, equals, dataset = pair.partition("=")
    if not equals:
        raise typer.BadParameter(f"{pair!r}: write name=dataset", param_hint="--channel")
    return name, dataset
