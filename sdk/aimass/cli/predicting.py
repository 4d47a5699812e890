"""`aimass predict-batch`: all rows of a dataset answered by a job."""

from typing import Annotated

import typer

from aimass.cli import options
from aimass.cli.following import follow
from aimass.cli.output import Output, OutputFormat, client_of


def predict_batch(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    dataset: Annotated[str, typer.Option(help="`name` or `name@version`.")],
    keys: Annotated[
        list[str] | None, typer.Option("--key", help="A column that goes with each answer; may be repeated.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The dataset to write; default: <dataset>-predictions.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add the rows to that dataset's latest version.")] = False,
    workers: Annotated[int, typer.Option(help="Containers that answer parts of the rows each.")] = 1,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    spot: options.Spot = False,
    max_wait_seconds: options.MaxWaitSeconds = None,
    max_seconds: Annotated[
        int | None, typer.Option(help="Then the job is stopped. Default: as the settings say.")
    ] = None,
    max_cost_usd: options.MaxCostUsd = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Answer all rows of a dataset, as a dataset with keys, labels, probabilities and an error where there is none."""
    job = client_of(context).jobs.predict(
        model,
        dataset,
        keys=keys or [],
        output=to,
        append=append,
        num_workers=workers,
        max_seconds=max_seconds,
        **options.given_compute(context),
    )
    follow(job, detach=detach, output=output)
