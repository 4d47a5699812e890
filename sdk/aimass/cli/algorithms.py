"""`aimass algorithms`: what can be trained."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel

from aimass.cli.output import Column, Output, OutputFormat, client_of, say, show_list, show_one
from aimass_core.domain.algorithms.contract import AlgorithmInfo, DataKind
from aimass_core.domain.distributions import CategoricalDistribution, Distribution

app = typer.Typer()

_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


@app.command("list")
def list_algorithms(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Every algorithm: the built-in ones, and those of installed packages."""
    columns = (
        Column("ALGORITHM", lambda a: a.name),
        Column("LEARNS FROM", lambda a: ", ".join(a.kinds)),
        Column("TASKS", lambda a: ", ".join(a.tasks)),
        Column("FRAMEWORKS", lambda a: ", ".join(a.frameworks)),
        Column("DESCRIPTION", lambda a: " ".join(a.description.partition("\n\n")[0].split()), is_long=True),
    )
    show_list(client_of(context).algorithms.list(), columns, output=output)
    if output is OutputFormat.TABLE:
        say("Hyperparameters: aimass algorithms show <algorithm>")


@app.command()
def show(
    context: typer.Context, algorithm: Annotated[str, typer.Argument()], output: Output = OutputFormat.TABLE
) -> None:
    """One algorithm, with its hyperparameters, their ranges and defaults."""
    info = client_of(context).algorithms.get(algorithm)
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(info, {}, output=output)
        return
    columns = (
        Column("HYPERPARAMETER", lambda h: h.name),
        Column("TYPE", lambda h: h.type),
        Column("RANGE", lambda h: h.range),
        Column("DEFAULT", lambda h: h.default),
        Column("MEANING", lambda h: h.meaning, is_long=True),
    )
    if output is OutputFormat.CSV:
        show_list(_hyperparameters(info), columns, output=output)
        return
    fields = {
        "algorithm": info.name,
        "description": info.description,
        "learns from": ", ".join(info.kinds),
        "tasks": ", ".join(info.tasks),
        "frameworks": ", ".join(info.frameworks),
        "several machines": ", ".join(info.distributed) or "no",
    }
    show_one(info, fields, output=output)
    show_list(_hyperparameters(info), columns, output=output)
    if steps := list(_steps(info)):
        show_list(steps, (Column("STEP OF AUGMENTATION", lambda h: h.name), *columns[2:]), output=output)
    if info.space:
        searched = (
            Column("SEARCHED", lambda d: d.name),
            Column("FROM", lambda d: d.range),
            Column("WHERE", lambda d: d.when),
        )
        show_list(_space(info), searched, output=output)
    if DataKind.TABLE in info.kinds:
        say("Rows added to rare classes, in training alone: --resample smote")
    say(f"Set them with: aimass train <dataset> --algorithm {info.name} -H name=value")
    say(f"Search for them with: aimass search <dataset> --algorithm {info.name}")


@app.command()
def space(context: typer.Context, algorithm: Annotated[str, typer.Argument()]) -> None:
    """What a search varies of it, as YAML: save it, change it, and give it to `aimass search --space`."""
    info = client_of(context).algorithms.get(algorithm)
    found = {name: each.model_dump(mode="json", exclude_defaults=True) for name, each in info.space.items()}
    if not found:
        say(f"{info.name} brings no search space: write one, docs/STUDIES.md says how.")
        raise typer.Exit(5)
    typer.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120), nl=False)


class _Searched(BaseModel):
    name: str
    range: str
    when: str


def _space(info: AlgorithmInfo) -> Iterator[_Searched]:
    for name, distribution in info.space.items():
        conditions = (f"{other} is {_alternatives(values)}" for other, values in distribution.when.items())
        yield _Searched(name=name, range=_searched_range(distribution), when=" and ".join(conditions))


def _searched_range(distribution: Distribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return _alternatives(distribution.choices)
    step = "" if distribution.step in (None, 1) else f", steps of {distribution.step:g}"
    return f"{distribution.low:g} to {distribution.high:g}{', log' if distribution.log else ''}{step}"


def _alternatives(values: Iterable[Any]) -> str:
    return " | ".join(value if isinstance(value, str) else json.dumps(value) for value in values)


class _Hyperparameter(BaseModel):
    name: str
    type: str
    range: str
    default: str
    meaning: str


def _hyperparameters(info: AlgorithmInfo) -> Iterator[_Hyperparameter]:
    properties: Any = info.hyperparameters.get("properties", {})
    definitions: Any = info.hyperparameters.get("$defs", {})
    for name, schema in properties.items():
        yield _Hyperparameter(
            name=name,
            type=_type(schema, definitions),
            range=_range(schema, definitions),
            default=json.dumps(schema["default"]) if "default" in schema else "required",
            meaning=schema.get("description", ""),
        )


def _steps(info: AlgorithmInfo) -> Iterator[_Hyperparameter]:
    """The steps that a list of `augmentation` may have; their strengths as ranges and defaults."""
    definitions: Any = info.hyperparameters.get("$defs", {})
    properties: Any = info.hyperparameters.get("properties", {})
    for choice in _choices(properties.get("augmentation", {}), definitions):
        for step in _choices(choice.get("items", {}), definitions):
            strengths = {name: found for name, found in step.get("properties", {}).items() if name != "name"}
            if strengths:
                yield _Hyperparameter(
                    name=step["properties"]["name"]["const"],
                    type="object",
                    range="; ".join(f"{name} {_range(found, definitions)}" for name, found in strengths.items()),
                    default=", ".join(
                        f"{name} {json.dumps(found.get('default'))}" for name, found in strengths.items()
                    ),
                    meaning=" ".join(step.get("description", "").split()),
                )


def _choices(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema, references resolved."""
    found = []
    for choice in schema.get("anyOf") or schema.get("oneOf") or [schema]:
        reference = choice.get("$ref", "").rpartition("/")[2]
        found.append(definitions.get(reference, choice))
    return found


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    return " or ".join(
        f"list of {choice['items'].get('type', 'value')}s" if "items" in choice else str(choice.get("type", "any"))
        for choice in _choices(schema, definitions)
    )


def _range(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for choice in _choices(schema, definitions):
        parts += [f"{sign} {choice[key]:g}" for key, sign in _BOUNDS.items() if key in choice]
        if "enum" in choice:
            parts.append(" | ".join(map(str, choice["enum"])))
        if "maxItems" in choice:
            parts.append(f"{choice.get('minItems', 0)} to {choice['maxItems']} of them")
    return ", ".join(parts)
