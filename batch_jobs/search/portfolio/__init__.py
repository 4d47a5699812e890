"""Configurations that did well elsewhere, to be tried first: read from `portfolio.json`, which `build` writes."""

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.search.portfolio.document import FILE_NAME, Portfolio

# Of a table, rows times columns, beyond which forests, which neither stop early nor are streamed, take what a budget
# of minutes has, and make files of hundreds of MB.
_MAX_FOREST_CELLS = 20_000_000
_FORESTS = frozenset({"random_forest", "extra_trees"})


class Configuration(NamedTuple):
    """An algorithm in its first framework; hyperparameters that are not named have their defaults."""

    algorithm: str
    hyperparameters: dict[str, Any]


def configurations(kind: DataKind, task: Task, *, num_rows: int, num_columns: int) -> list[Configuration]:
    """In the order to try them.

    Args:
        kind: what the data is read as.
        task: what is learned.
        num_rows: of the training data.
        num_columns: that are learned from.
    """
    considered = _considered(kind, task, num_cells=num_rows * num_columns)
    fitting = [
        group
        for group in load_portfolio().groups
        if group.kind is kind and task in group.tasks and group.min_rows <= num_rows
    ]
    group = max(fitting, key=lambda each: each.min_rows, default=None)
    return [
        Configuration(entry.algorithm, dict(entry.hyperparameters))
        for entry in (group.configurations if group is not None else ())
        if entry.algorithm in considered
    ]


def algorithms(kind: DataKind, task: Task, *, num_rows: int, num_columns: int) -> list[str]:
    """Those that autotrain considers where nobody names any: as the portfolio tries them, then all others that fit."""
    tried = configurations(kind, task, num_rows=num_rows, num_columns=num_columns)
    others = _considered(kind, task, num_cells=num_rows * num_columns)
    return list(dict.fromkeys([*(each.algorithm for each in tried), *others]))


def _considered(kind: DataKind, task: Task, *, num_cells: int) -> list[str]:
    return [
        name
        for name, spec in registry.load_all().items()
        if kind in spec.kinds and task in spec.tasks and not (name in _FORESTS and num_cells > _MAX_FOREST_CELLS)
    ]


@cache
def load_portfolio() -> Portfolio:
    """The file of this package."""
    return Portfolio.model_validate_json(files(__name__).joinpath(FILE_NAME).read_bytes())
