"""`aimass models`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli import options
from aimass.cli.following import follow
from aimass.cli.output import Column, Output, OutputFormat, client_of, format_bytes, say, show_list, show_one
from aimass.resources.models import ModelVersion
from aimass_core.domain.common import split_ref
from aimass_core.domain.jobs import ModelRef
from aimass_core.domain.model_imports import ImportFormat, Scores
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Task

app = typer.Typer()

_Version = Annotated[str, typer.Argument(metavar="MODEL@VERSION")]
_Note = Annotated[str, typer.Option(help="Why.")]


@app.command("list")
def list_models(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All models, newest first."""
    columns = (
        Column("NAME", lambda m: m.name),
        Column("LATEST", lambda m: m.latest_version, is_number=True),
        Column("UPDATED", lambda m: m.updated_at),
        Column("DESCRIPTION", lambda m: m.description, is_long=True),
        Column("ID", lambda m: m.id),
    )
    empty = "No models yet. Train one: aimass autotrain <dataset> --budget 5m"
    show_list(client_of(context).models.list(), columns, output=output, empty=empty)


@app.command("versions")
def list_versions(context: typer.Context, model: str, output: Output = OutputFormat.TABLE) -> None:
    """The versions of a model, newest first."""
    columns = (
        Column("VERSION", lambda v: v.number, is_number=True),
        Column("ALGORITHM", lambda v: v.algorithm),
        Column("METRIC", lambda v: v.primary_metric),
        Column("VALUE", lambda v: v.metrics.get(v.primary_metric), is_number=True),
        Column("SIZE", lambda v: format_bytes(v.model_bytes), is_number=True),
        Column("APPROVAL", _approval_of),
        Column("CREATED", lambda v: v.created_at),
        Column("JOB", lambda v: v.job_id),
    )
    show_list(client_of(context).models.versions(model), columns, output=output)


@app.command("get")
def get_model(context: typer.Context, model: str, output: Output = OutputFormat.TABLE) -> None:
    """One version (`name` or `name@version`): where it came from and how good it is."""
    version = find_version(context, model)
    fields = {
        "model": version.ref,
        "algorithm": version.algorithm,
        "task": version.task,
        "size": format_bytes(version.model_bytes),
        "digest": version.digest,
        "job": version.job_id,
        "approval": _approval_words(version),
        **{name: f"{pinned.dataset_name}@{pinned.number}" for name, pinned in version.datasets.items()},
        **({"made of": ", ".join(_ref(parent) for parent in version.parents)} if version.parents else {}),
        **{name: _ref(part) for name, part in version.parts.items()},
        **version.metrics,
    }
    if version.card and version.card.export_check:
        fields["export difference"] = f"{version.card.export_check.max_abs_difference:.1e}"
    show_one(version, fields, output=output)


@app.command("download")
def download_artifact(
    context: typer.Context,
    model: str,
    artifact: Annotated[ArtifactName, typer.Option(help="Which file.")] = ArtifactName.MODEL,
    to: Annotated[Path | None, typer.Option(help="Default: the artifact's name, here.")] = None,
) -> None:
    """Save a file of a version: the ONNX model, its card, its report."""
    path = find_version(context, model).download(artifact, to)
    say(f"Saved {path} ({format_bytes(path.stat().st_size)}).")


@app.command("report")
def save_report(context: typer.Context, model: str, to: Annotated[Path | None, typer.Option()] = None) -> None:
    """Save the HTML report of a version."""
    version = find_version(context, model)
    path = version.download(ArtifactName.REPORT, to or Path(f"{version.model_name}-{version.number}.html"))
    say(f"Saved {path}. Open it in a browser.")


@app.command("import")
def import_model(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="ONNX, SavedModel, Keras, torch, XGBoost, LightGBM, sklearn, MLflow.")],
    name: Annotated[str | None, typer.Option(help="Default: the file's.")] = None,
    format_: Annotated[ImportFormat, typer.Option("--format", help="Default: found out.")] = ImportFormat.AUTO,
    samples: Annotated[
        Path | None, typer.Option(help="Rows that both have to answer alike: .csv, .jsonl, .npy, .npz.")
    ] = None,
    signature: Annotated[Path | None, typer.Option(help="A signature.json; default: found out.")] = None,
    task: Annotated[Task | None, typer.Option(help="Default: as the model says, else custom.")] = None,
    target: Annotated[str | None, typer.Option(help="What it answers.")] = None,
    labels: Annotated[str | None, typer.Option(help="In the order of its outputs, with commas between.")] = None,
    columns: Annotated[str | None, typer.Option(help="Its features in order, with commas between.")] = None,
    scores: Annotated[Scores, typer.Option(help="What the outputs of a classifier are.")] = Scores.PROBABILITIES,
    input_shape: Annotated[str | None, typer.Option(help="Of one row, for torch without samples: 1,28,28.")] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Open a format that can run code, in a job without credentials.")
    ] = False,
    memory_mib: options.MemoryMib = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Convert a model of another tool to ONNX, compare the two, and register it."""
    given: dict[str, Any] = {
        "task": task,
        "target": target,
        "labels": options.split_names([labels] if labels else None),
        "columns": options.split_names([columns] if columns else None),
        "input_shape": _to_shape(input_shape),
    }
    job = client_of(context).models.import_model(
        model,
        name=name,
        samples=samples,
        signature=signature,
        format=format_,
        scores=scores,
        trust_pickle=trust_pickle,
        compute={} if memory_mib is None else {"memory_mib": memory_mib},
        **{field: value for field, value in given.items() if value is not None},
    )
    follow(job, detach=detach, output=output)


@app.command("export")
def export_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    to: Annotated[Path | None, typer.Argument(help="Default: <name>-<version>.zip, here.")] = None,
) -> None:
    """Save a version as a zip that answers anywhere with onnxruntime and numpy alone."""
    version = find_version(context, model)
    path = version.export(to)
    say(f"Saved {path} ({format_bytes(path.stat().st_size)}). Its README.md says how to run it.")


@app.command("approve")
def approve_version(
    context: typer.Context, model: _Version, note: _Note = "", output: Output = OutputFormat.TABLE
) -> None:
    """Say that a version may be served. Somebody else than who made it does so, or an admin."""
    name, number = _require_number(model)
    _show_decision(client_of(context).models.approve(name, number, note=note), output=output)


@app.command("reject")
def reject_version(
    context: typer.Context, model: _Version, note: _Note = "", output: Output = OutputFormat.TABLE
) -> None:
    """Say that a version may not be served. What serves it already goes on."""
    name, number = _require_number(model)
    _show_decision(client_of(context).models.reject(name, number, note=note), output=output)


@app.command("retrain")
def retrain_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    without_source: Annotated[str | None, typer.Option(help="Leave out what a source has brought.")] = None,
    without_rows: Annotated[str | None, typer.Option(help="Leave out rows: \"plan = 'trial'\".")] = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Train a version again without a source, or without rows."""
    job = client_of(context).models.retrain(
        model,
        without_source=without_source,
        without_rows=without_rows,
        on_prepare=lambda prepared: say(f"Job [bold]{prepared.id}[/] prepares the data without it."),
    )
    follow(job, detach=detach, output=output)


@app.command("delete")
def delete_model(context: typer.Context, model: str, yes: Annotated[bool, typer.Option("--yes", "-y")] = False) -> None:
    """Delete a model with all its versions."""
    if not yes:
        typer.confirm(f"Delete {model} with all its versions?", abort=True, err=True)
    client_of(context).models.delete(model)
    say(f"Deleted {model}.")


def _to_shape(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(size) for size in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r}: write whole numbers with commas between, such as 1,28,28", param_hint="--input-shape"
        ) from error


def _require_number(ref: str) -> tuple[str, int]:
    """A decision is on one version, never on whichever is the newest by now."""
    name, number = split_ref(ref)
    if number is None:
        raise typer.BadParameter(f"{ref!r}: name the version, such as {name}@3", param_hint="MODEL@VERSION")
    return name, number


def _show_decision(version: ModelVersion, *, output: OutputFormat) -> None:
    show_one(version, {"model": version.ref, "approval": _approval_words(version)}, output=output)


def _approval_of(version: ModelVersion) -> str | None:
    return None if version.approval is None else version.approval.decision.value


def _approval_words(version: ModelVersion) -> str | None:
    approval = version.approval
    if approval is None:
        return None
    return f"{approval.decision} by {approval.by_name or approval.by}{': ' if approval.note else ''}{approval.note}"


def _ref(model: ModelRef) -> str:
    return f"{model.model_name}@{model.number}"


def find_version(context: typer.Context, ref: str) -> ModelVersion:
    """By `name` or `name@version`; the newest where none is named."""
    client = client_of(context)
    name, number = split_ref(ref)
    number = number or client.models.get(name).latest_version
    if number is None:
        say(f"{name} has no version.")
        raise typer.Exit(5)
    return client.models.get_version(name, number)
