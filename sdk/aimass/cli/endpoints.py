"""`aimass deploy`, `aimass predict` and `aimass endpoints`."""

import json
from typing import Annotated

import typer
from pydantic import BaseModel

from aimass.cli import endpoint_settings, rollouts
from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass.cli.rows import read_rows
from aimass_core.domain.endpoint_watching import AlarmStatus
from aimass_core.domain.endpoints import EndpointDetail, Prediction
from aimass_core.domain.engines import EngineKind

app = typer.Typer()
app.add_typer(rollouts.app)
app.add_typer(endpoint_settings.app)


def _write_engine(endpoint: EndpointDetail) -> str | None:
    """Of what serves, or is about to: `container, 2 x ml.c5.large`."""
    served = endpoint.serving or endpoint.candidate
    if served is None:
        return None
    machines = served.engine.machines
    return served.engine.kind.value + (f", {machines[1]} x {machines[0]}" if machines else "")


_COLUMNS = (
    Column("NAME", lambda e: e.name),
    Column("STATUS", lambda e: str(e.status)),
    Column("SERVING", lambda e: f"{e.serving.model_name}@{e.serving.number}" if e.serving else None),
    Column("ENGINE", _write_engine),
    Column("REASON", lambda e: e.status_reason, is_long=True),
    Column("UPDATED", lambda e: e.updated_at),
)
_MAX_TABLE_ROWS = 50
_MAX_CONTRIBUTIONS = 5

EngineOption = Annotated[
    EngineKind | None,
    typer.Option(help="Where it runs; default: as the endpoint has it, at first lambda. distributed: of a fusion."),
]
InstanceType = Annotated[str | None, typer.Option(help="Of the machines of the engine container: ml.c5.large.")]
Instances = Annotated[int | None, typer.Option(help="How many machines.")]


def deploy(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    name: Annotated[str | None, typer.Option(help="Of the endpoint; default: the model's.")] = None,
    engine: EngineOption = None,
    instance_type: InstanceType = None,
    instances: Instances = None,
    canary: rollouts.Canary = None,
    linear: Annotated[float | None, typer.Option(help="Percent that it gets more with each step.")] = None,
    shadow: Annotated[float | None, typer.Option(help="Percent for which it is asked too, and answers nobody.")] = None,
    step: rollouts.Step = None,
    every: Annotated[
        str | None, typer.Option(help="Until the next step: 60s, 10m; default: until it is promoted.")
    ] = None,
    guard: rollouts.Guards = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until it is over; 1 where it is rolled back.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Serve a model; done when a golden request gave the golden answer, or a rollout has begun."""
    client = client_of(context)
    plan = rollouts.to_plan(canary=canary, linear=linear, shadow=shadow, step=step, every=every, guards=guard or [])
    endpoint = client.endpoints.deploy(
        model, name=name, rollout=plan, engine=engine, instance_type=instance_type, instances=instances
    )
    if follow and endpoint.rollout is not None:
        say(endpoint.status_reason or "")
        endpoint = endpoint.wait_rollout()
    served = f"{endpoint.serving.model_name}@{endpoint.serving.number}" if endpoint.serving else None
    fields = {
        "endpoint": endpoint.name,
        "status": endpoint.status,
        "serving": served,
        "engine": _write_engine(endpoint),
        **rollouts.to_fields(endpoint),
        "infer": endpoint.infer_url,
        "predict": client.http.base_url + endpoint.predict_path,
    }
    show_one(endpoint, fields, output=output)
    if output is OutputFormat.TABLE:
        say(f"Next: aimass predict {endpoint.name} <rows.csv>")
        say(
            "Open Inference Protocol: curl -H 'Authorization: Bearer <key>' "
            f"{endpoint.infer_url.removesuffix('/infer')}"
        )


def predict(
    context: typer.Context,
    endpoint: Annotated[str, typer.Argument()],
    file: Annotated[str, typer.Argument(help="CSV, JSON Lines, .ts or images; - reads CSV from stdin.")],
    deferred: Annotated[
        bool, typer.Option("--deferred", help="Answer later, in up to 15 minutes instead of 28 s; waits for it.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="What each column contributes to each answer.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Predict the rows of a file."""
    client = client_of(context)
    served = client.endpoints.get(endpoint)
    rows = read_rows(file, served.signature)
    if deferred:
        answer = client.endpoints.submit(served.name, rows, explain=explain).wait()
    else:
        answer = served.predict(rows, explain=explain)
    rows_answered = [_AnsweredRow(row=row, prediction=p) for row, p in enumerate(answer.predictions, start=1)]
    has_labels = any(p.label is not None for p in answer.predictions)
    is_forecast = any(p.values is not None for p in answer.predictions)
    is_multilabel = any(p.labels is not None for p in answer.predictions)
    what = _LABELS if is_multilabel else _LABEL if has_labels else _VALUES if is_forecast else _VALUE
    columns = [_ROW, *what, *([_BECAUSE] if explain else []), _NOTES]
    shown = rows_answered[:_MAX_TABLE_ROWS] if output is OutputFormat.TABLE else rows_answered
    show_list(shown, columns, output=output)
    if len(shown) < len(rows_answered):
        say(f"{len(rows_answered) - len(shown):,} more rows: aimass predict {endpoint} {file} --output csv")
    for warning in answer.warnings:
        say(f"[yellow]Note:[/] {plain(warning)}")
    say(f"{len(rows_answered):,} rows by {answer.model_name}@{answer.model_version}.")


class _AnsweredRow(BaseModel):
    row: int
    prediction: Prediction


_ROW = Column("ROW", lambda item: item.row, is_number=True)
_LABEL = (
    Column("LABEL", lambda item: item.prediction.label),
    Column("PROBABILITY", lambda item: item.prediction.probability, is_number=True),
)
_LABELS = (
    Column("LABELS", lambda item: _write_labels(item.prediction), is_long=True),
    Column("PROBABILITIES", lambda item: _write_probabilities(item.prediction), is_long=True),
)
_VALUE = (Column("VALUE", lambda item: item.prediction.value, is_number=True),)
_VALUES = (Column("VALUES", lambda item: item.prediction.values, is_long=True),)
_BECAUSE = Column("BECAUSE", lambda item: _write_explanation(item.prediction), is_long=True)
_NOTES = Column("NOTES", lambda item: item.prediction.error or "; ".join(item.prediction.warnings), is_long=True)


def _write_labels(prediction: Prediction) -> str | None:
    """As a JSON list: a label may hold any mark."""
    return None if prediction.labels is None else json.dumps(prediction.labels, ensure_ascii=False)


def _write_probabilities(prediction: Prediction) -> str | None:
    """Those of the labels that apply."""
    given = prediction.probabilities or {}
    return None if prediction.labels is None else " ".join(f"{given[name]:.4f}" for name in prediction.labels)


def _write_explanation(prediction: Prediction) -> str | None:
    """The greatest contributions: `age +0.21, city -0.04`."""
    if prediction.explanation is None:
        return None
    found = prediction.explanation.contributions[:_MAX_CONTRIBUTIONS]
    return ", ".join(f"{each.part} {each.value:+.3g}" for each in found) or "everything is typical"


@app.command("list")
def list_endpoints(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All endpoints, newest first."""
    empty = "No endpoints yet. Serve a model: aimass deploy <model>"
    show_list(client_of(context).endpoints.list(), _COLUMNS, output=output, empty=empty)


@app.command("get")
def get_endpoint(context: typer.Context, endpoint: str, output: Output = OutputFormat.TABLE) -> None:
    """One endpoint: what it serves, and the inputs that it takes."""
    found = client_of(context).endpoints.get(endpoint)
    show_one(found, _to_fields(found), output=output)
    if output is OutputFormat.TABLE and found.signature:
        columns = (
            Column("INPUT", lambda i: i.name),
            Column("DATATYPE", lambda i: str(i.datatype)),
            Column("SHAPE", lambda i: str(i.shape)),
            Column("TYPE", lambda i: str(i.column_type or "")),
            Column("VALUES", lambda i: ", ".join((i.categories or [])[:5]), is_long=True),
        )
        show_list(found.signature.inputs, columns, output=output)


@app.command("update")
def update_endpoint(
    context: typer.Context,
    endpoint: str,
    weights: Annotated[
        str | None,
        typer.Option(help="Of each member of the fusion that it serves: adult@1=0.7,adult@2=0.3; or `fitted`."),
    ] = None,
    engine: EngineOption = None,
    instance_type: InstanceType = None,
    instances: Instances = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Let the members of a fusion that is served apart count otherwise, or another engine answer."""
    api = client_of(context).endpoints
    if (weights is None) is (engine is None):
        raise typer.BadParameter("give either weights or an engine", param_hint="--weights, --engine")
    if engine is not None:
        found = api.move(endpoint, engine, instance_type=instance_type, instances=instances)
    else:
        found = api.update(endpoint, weights=None if weights == "fitted" else _read_weights(str(weights)))
    show_one(found, _to_fields(found), output=output)


def _read_weights(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in text.split(","):
        name, separator, value = part.strip().rpartition("=")
        try:
            weight = float(value)
        except ValueError:
            separator = ""
        if not separator or not name or name in found:
            raise typer.BadParameter(
                f"{part!r} is no weight: write each member once, as in adult@1=0.7,adult@2=0.3", param_hint="--weights"
            )
        found[name] = weight
    return found


def _to_fields(endpoint: EndpointDetail) -> dict[str, object]:
    """With the weights of a fusion that is served apart: those that hold."""
    fields: dict[str, object] = {column.name.lower(): column.read(endpoint) for column in _COLUMNS}
    fields |= rollouts.to_fields(endpoint)
    if endpoint.alarm is not AlarmStatus.OFF:
        fields["alarm"] = " ".join([endpoint.alarm, *endpoint.alarm_reasons])
    members = endpoint.serving.members if endpoint.serving else []
    if any(member.weight is not None for member in members):
        fitted = {f"{member.model_name}@{member.number}": member.weight or 0.0 for member in members}
        holding = endpoint.weights or fitted
        words = ", ".join(f"{name}={holding[name]:g}" for name in fitted)
        fields["weights"] = f"{words} ({'fitted' if endpoint.weights is None else 'changed'})"
    return fields


@app.command("delete")
def delete_endpoint(
    context: typer.Context, endpoint: str, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """End serving."""
    if not yes:
        typer.confirm(f"Stop serving {endpoint}?", abort=True, err=True)
    client_of(context).endpoints.delete(endpoint)
    say(f"Deleted {endpoint}.")
