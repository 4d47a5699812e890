"""`aimass algorithms`."""

from typing import Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, show_list
from aimass_core.domain.algorithms import AlgorithmInfo


def show_algorithms(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What can be trained, with hyperparameters and their defaults."""
    columns = (
        Column("ALGORITHM", lambda a: str(a.name)),
        Column("DATA", lambda a: str(a.dataset_kind)),
        Column("FRAMEWORK", lambda a: a.framework),
        Column("HYPERPARAMETERS (DEFAULT)", _defaults, is_long=True),
    )
    show_list(client_of(context).algorithms.list(), columns, output=output)


def _defaults(info: AlgorithmInfo) -> str:
    properties: Any = info.hyperparameters.get("properties", {})
    return ", ".join(f"{name}={schema.get('default')}" for name, schema in properties.items())
