"""Options that several commands take, and what is made of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli.files import read_settings
from aimass_core.domain.compute import Backend
from aimass_core.domain.signatures import Task
from aimass_core.domain.training import Resample

DatasetArgument = Annotated[str, typer.Argument(help="`name` or `name@version`.")]

Validation = Annotated[str | None, typer.Option(help="A dataset; default: a part is held out.")]
Test = Annotated[str | None, typer.Option(help="A dataset that the model is judged on, once.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="Default: the dataset's. Repeated: columns of 0 and 1, each a label (multi-label)."),
]
TaskName = Annotated[Task | None, typer.Option("--task", help="Default: found out from the target.")]
LabelSeparator = Annotated[
    str | None, typer.Option(help="Between the labels of a multi-label target that is text; default: |.")
]
ModelName = Annotated[str | None, typer.Option("--model", help="Default: the dataset's name.")]
Exclude = Annotated[list[str] | None, typer.Option(help="A column to leave out; may be repeated.")]
Folds = Annotated[int | None, typer.Option(help="k-fold cross-validation.")]
Horizon = Annotated[int | None, typer.Option(help="Forecast the target so many rows ahead.")]
Window = Annotated[int | None, typer.Option(help="Forecast from so many of the latest rows.")]
TimeColumn = Annotated[str | None, typer.Option(help="Of a forecast: rows are in its order.")]
Seed = Annotated[int, typer.Option()]

Hyperparameters = Annotated[
    list[str] | None, typer.Option("--hyperparameter", "-H", help="name=value; may be repeated.")
]
Framework = Annotated[str | None, typer.Option(help="Default: the algorithm's first.")]
Features = Annotated[str, typer.Option(help="plain, auto, or a JSON or YAML file of recipes: docs/FEATURES.md.")]
ResampleWay = Annotated[
    Resample | None, typer.Option("--resample", help="Add rows to rare classes of a table, in training alone.")
]

Budget = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="To the exported model: 90s, 10m, 2h. Default: as the settings say (1h)."),
]
MaxModelBytes = Annotated[str | None, typer.Option(metavar="SIZE", help="Of the exported model: 50k, 500KB, 2MB.")]

Vcpus = Annotated[int | None, typer.Option()]
MemoryMib = Annotated[int | None, typer.Option()]
BackendName = Annotated[Backend | None, typer.Option("--backend", help="Which service runs it; default: batch.")]
InstanceType = Annotated[str | None, typer.Option(help="On SageMaker, such as ml.m5.xlarge.")]
Spot = Annotated[bool, typer.Option("--spot", help="On SageMaker: machines that cost less.")]
MaxWaitSeconds = Annotated[
    int | None, typer.Option(help="With --spot: to the job's end, waiting for machines included.")
]
MaxCostUsd = Annotated[float | None, typer.Option(help="A limit in seconds, by the price of its compute.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only estimate time, cost, memory and disk.")]


def _refuse_both(context: typer.Context, value: bool) -> bool:
    """Of two options: the one that is read second finds the first."""
    if value and (context.params.get("deploy") or context.params.get("detach")):
        raise typer.BadParameter("--deploy waits for the model, and --detach does not: leave one of them out")
    return value


Detach = Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.", callback=_refuse_both)]
Deploy = Annotated[
    bool,
    typer.Option("--deploy", help="Serve the model once it is there, as aimass deploy does.", callback=_refuse_both),
]


# Options that the SDK's methods call the same.
_OF_DATA = (
    "validation",
    "test",
    "task",
    "label_separator",
    "model",
    "folds",
    "horizon",
    "window",
    "time_column",
    "seed",
)
_OF_COMPUTE = ("vcpus", "memory_mib", "backend", "instance_type", "max_wait_seconds", "max_cost_usd")


def given(context: typer.Context) -> dict[str, Any]:
    """What a command was told of the data, the target and the compute, as the SDK's methods take it."""
    params = context.params
    return {
        **{name: params[name] for name in _OF_DATA},
        "target": to_target(params["target"]),
        "exclude_columns": list(params["exclude"] or []),
        **given_compute(context),
    }


def given_compute(context: typer.Context) -> dict[str, Any]:
    """What a command was told of the compute, as the SDK's methods take it."""
    params = context.params
    return {**{name: params[name] for name in _OF_COMPUTE}, "spot": params["spot"] or None}


def split_names(texts: Sequence[str] | None) -> list[str] | None:
    """The names in options that are repeated, or name several with commas between; None where there are none."""
    return [name for names in texts or [] for name in names.split(",")] or None


def to_target(targets: Sequence[str] | None) -> str | list[str] | None:
    """One column as it is, several as the labels that they are."""
    return targets[0] if targets and len(targets) == 1 else list(targets or []) or None


def to_features(words: str) -> Any:
    """`auto` as it is; `plain` is the default, so nothing; else what the file says."""
    if words in ("plain", "auto"):
        return words if words == "auto" else None
    path = Path(words)
    if not path.is_file():
        raise typer.BadParameter(
            f"{words!r} is neither plain nor auto nor a file: name a JSON or YAML file", param_hint="--features"
        )
    return read_settings(path, option="--features", example="{columns: {}}")


def to_hyperparameters(pairs: list[str]) -> dict[str, Any]:
    """`name=value` pairs; a value is JSON where it can be."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r}: write name=value", param_hint="--hyperparameter")
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values
