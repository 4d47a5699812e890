"""Data sets to compare configurations on: scikit-learn's own, generated ones, and CSV files that a manifest names."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn import datasets

from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.signatures import Task
from batch_jobs.data.channels import ARROW_TYPES, Channel

TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A table with the column `target`."""

    name: str
    task: Task
    frame: pd.DataFrame

    def sample(self, max_rows: int, *, seed: int) -> "DataSet":
        """So many rows at most, of those with a target."""
        known = self.frame.dropna(subset=[TARGET])
        if len(known) > max_rows:
            known = known.sample(max_rows, random_state=seed)
        return DataSet(name=self.name, task=self.task, frame=known.reset_index(drop=True))

    @property
    def sha256(self) -> str:
        """Of the rows."""
        return hashlib.sha256(self.frame.to_csv(index=False).encode()).hexdigest()

    def to_channel(self, name: str, rows: Any) -> Channel:
        """These rows as a job reads them."""
        types = {column: _column_type(self.frame[column]) for column in self.frame}
        if self.task is not Task.REGRESSION:
            types[TARGET] = ColumnType.STRING
        columns = [Column(name=str(column), type=column_type) for column, column_type in types.items()]
        arrays = {
            column: _to_arrow(self.frame[column].iloc[rows], column_type) for column, column_type in types.items()
        }
        return Channel(
            name=name,
            schema=Schema(kind=DatasetKind.TABLE, columns=columns, target=TARGET),
            table=pa.table(arrays),
            rows=pa.array(rows),
        )


def _column_type(values: "pd.Series[Any]") -> ColumnType:
    if pd.api.types.is_bool_dtype(values):
        return ColumnType.BOOLEAN
    if pd.api.types.is_integer_dtype(values):
        return ColumnType.INTEGER
    return ColumnType.NUMBER if pd.api.types.is_numeric_dtype(values) else ColumnType.STRING


def _to_arrow(values: "pd.Series[Any]", column_type: ColumnType) -> pa.Array:
    if column_type is ColumnType.STRING:
        values = values.map(str, na_action="ignore")
    return pa.array(values.to_numpy(), ARROW_TYPES[column_type], from_pandas=True)


def load_built_in() -> Iterator[DataSet]:
    """Those that scikit-learn brings, and generated ones."""
    bundled = {
        "digits": (Task.MULTICLASS, datasets.load_digits),
        "breast-cancer": (Task.BINARY, datasets.load_breast_cancer),
        "diabetes": (Task.REGRESSION, datasets.load_diabetes),
    }
    for name, (task, load) in bundled.items():
        yield _build(f"sklearn-{name}", task, *load(return_X_y=True))
    yield from _generate()


def _generate() -> Iterator[DataSet]:
    rng = np.random.default_rng(0)

    def features(num_classes: int, **settings: Any) -> tuple[Any, Any]:
        settings = {"n_samples": 3000, "n_features": 20, "n_informative": 10, "flip_y": 0.05} | settings
        columns, classes = datasets.make_classification(n_classes=num_classes, random_state=0, **settings)
        return columns, classes

    yield _build("clusters", Task.BINARY, *features(2, n_clusters_per_class=4))
    yield _build("wide", Task.BINARY, *features(2, n_samples=1000, n_features=120, n_informative=8, flip_y=0.1))
    yield _build("rare", Task.BINARY, *features(2, weights=[0.92], class_sep=0.7))
    yield _build("ten-classes", Task.MULTICLASS, *features(10, n_features=16, n_informative=12, class_sep=1.5))
    yield _with_categories(_build("categories", Task.BINARY, *features(2, n_clusters_per_class=3)), rng)
    yield _with_categories(_build("categories-five-classes", Task.MULTICLASS, *features(5)), rng)
    yield _build("hastie", Task.BINARY, *datasets.make_hastie_10_2(3000, random_state=0))
    rings = datasets.make_gaussian_quantiles(n_samples=2000, n_features=6, n_classes=4, random_state=0)
    yield _build("rings", Task.MULTICLASS, *rings)
    points, side = datasets.make_moons(1500, noise=0.3, random_state=0)
    yield _build("moons", Task.BINARY, np.hstack([points, rng.normal(size=(1500, 6))]), side)
    yield _build("friedman-1", Task.REGRESSION, *datasets.make_friedman1(2000, n_features=12, noise=1, random_state=0))
    friedman_3 = datasets.make_friedman3(2000, noise=0.1, random_state=0)
    yield _with_categories(_build("friedman-categories", Task.REGRESSION, *friedman_3), rng)
    roll, position = datasets.make_swiss_roll(2000, noise=0.5, random_state=0)
    yield _build("swiss-roll", Task.REGRESSION, roll, position)


def _build(name: str, task: Task, features: Any, target: Any) -> DataSet:
    # Six digits: what the last bit is differs from processor to processor.
    columns = {f"x{index}": np.round(values, 6) for index, values in enumerate(np.asarray(features).T)}
    truth = np.round(target, 6) if task is Task.REGRESSION else np.asarray(target).astype(int)
    return DataSet(name=name, task=task, frame=pd.DataFrame({**columns, TARGET: truth}))


def _with_categories(data: DataSet, rng: np.random.Generator) -> DataSet:
    """Every second column as names without an order, every third with a tenth of its values missing."""
    frame = data.frame.copy()
    for index, column in enumerate(frame.columns.drop(TARGET)):
        if index % 2 == 0:
            num_values = int(rng.integers(3, 40))
            names = np.array([f"v{number}" for number in rng.permutation(num_values)])
            frame[column] = names[pd.qcut(frame[column], num_values, labels=False, duplicates="drop")]
        if index % 3 == 0:
            frame[column] = frame[column].mask(rng.random(len(frame)) < 0.1)
    return DataSet(name=data.name, task=data.task, frame=frame)


def load_folder(folder: Path, manifest: Path) -> Iterator[DataSet]:
    """CSV files of a folder.

    The manifest is a CSV file too: name, file (relative to the folder), target, task, and drop: columns to leave out,
    with spaces between them. A column without a name numbers the rows, and is left out.
    """
    for row in pd.read_csv(manifest, keep_default_na=False).to_dict("records"):
        frame = pd.read_csv(folder / row["file"])
        unnamed = [column for column in frame if column.startswith("Unnamed: ")]
        frame = frame.drop(columns=[*unnamed, *row["drop"].split()])
        yield DataSet(name=row["name"], task=Task(row["task"]), frame=frame.rename(columns={row["target"]: TARGET}))
