"""`aimass prepare` and `aimass recipes`: datasets made of others, step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from aimass.cli import options
from aimass.cli.files import read_settings
from aimass.cli.following import follow
from aimass.cli.output import Output, OutputFormat, client_of, plain, say
from aimass.cli.recipe_tables import show_preview
from aimass_core.domain.recipes import Recipe
from aimass_core.errors import InvalidRequestError

app = typer.Typer()

_EXAMPLE = "{steps: [{do: trim}]}"
RecipeFile = Annotated[Path, typer.Option("--recipe", "-r", help="A YAML or JSON file: docs/RECIPES.md.")]
Sampled = Annotated[int, typer.Option("--sample", min=1, max=10_000, help="Of a preview: so many rows, evenly spread.")]


def prepare(
    context: typer.Context,
    dataset: options.DatasetArgument,
    recipe: RecipeFile,
    preview: Annotated[bool, typer.Option("--preview", help="Only try it, on a sample.")] = False,
    sample: Sampled = 1_000,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Of a preview: so many rows are shown.")] = 10,
    to: Annotated[str | None, typer.Option(help="The dataset to write; default: <dataset>-prepared.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add the rows to that dataset's latest version.")] = False,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    max_seconds: Annotated[
        int | None, typer.Option(help="Then the job is stopped. Default: as the settings say.")
    ] = None,
    max_cost_usd: options.MaxCostUsd = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a dataset of another by a recipe, or see on a sample what it would do."""
    steps = read_recipe(recipe)
    if preview:
        show_preview(client_of(context).datasets.preview(dataset, steps, num_sampled=sample, limit=limit), output)
        return
    job = client_of(context).jobs.prepare(
        dataset,
        steps,
        output=to,
        append=append,
        vcpus=vcpus,
        memory_mib=memory_mib,
        backend=backend,
        instance_type=instance_type,
        max_seconds=max_seconds,
        max_cost_usd=max_cost_usd,
    )
    follow(job, detach=detach, output=output)


@app.command("check")
def check(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(help="A YAML or JSON file.")],
    dataset: Annotated[
        str | None, typer.Option(help="Also whether it fits this one: `name` or `name@version`.")
    ] = None,
) -> None:
    """Whether a recipe is right: by itself, and for a dataset. Exit code 3 where it is not."""
    steps = read_recipe(recipe)
    say(f"{len(steps.steps)} steps: {', '.join(step.do for step in steps.steps)}.")
    if dataset is None:
        say("Whether its columns are there is seen with: --dataset <name>")
        return
    found = client_of(context).datasets.preview(dataset, steps, num_sampled=100, limit=1)
    say(f"It fits {plain(dataset)}. Columns afterwards: {plain(', '.join(column.name for column in found.columns))}")


def read_recipe(path: Path) -> Recipe:
    """Raises InvalidRequestError with the number of each step that is wrong."""
    settings = read_settings(path, option="--recipe", example=_EXAMPLE)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        faults = [f"{_location(fault['loc'])}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise InvalidRequestError(f"{path} is no recipe. {'; '.join(faults[:5])}") from error


def _location(parts: Sequence[Any]) -> str:
    """`step 2 (filter), where`: of steps[1].filter.where."""
    if len(parts) >= 2 and parts[0] == "steps":
        do = f" ({parts[2]})" if len(parts) > 2 else ""
        return ", ".join([f"step {int(parts[1]) + 1}{do}", *(str(part) for part in parts[3:])])
    return ".".join(str(part) for part in parts) or "the file"
