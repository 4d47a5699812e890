"""Data to be trained on, made here: what is in it does not matter for speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, Problem

NUM_CLASSES, NUM_IDS, LENGTH, NUM_VALUES = 10, 5_000, 40, 12


class Quiet:
    """Satisfies `Listener`."""

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        pass

    def message(self, text: str) -> None:
        pass


def plain_steps(algorithm: str) -> dict[str, Any]:
    """Hyperparameters under which a job does what a plain loop does."""
    plain = {"schedule": "constant", "max_gradient_norm": None}
    return plain | {"cnn": {"shift": 0}, "rnn": {"word_dropout": 0.0}}[algorithm]


def images(num_rows: int) -> Examples:
    """28 x 28 in grey."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (num_rows, 28, 28, 1), dtype=np.uint8)
    return Examples(features=pixels, targets=generator.integers(0, NUM_CLASSES, num_rows))


def problem_of_images(*, num_threads: int) -> Problem:
    """Of ten classes."""
    return Problem(task=Task.MULTICLASS, kind=DataKind.IMAGES, num_outputs=NUM_CLASSES, seed=0, num_threads=num_threads)


def texts(num_rows: int) -> Examples:
    """Of 8 to 40 words."""
    generator = np.random.default_rng(0)
    ids = generator.integers(2, NUM_IDS, (num_rows, LENGTH))
    ids[np.arange(LENGTH) >= generator.integers(8, LENGTH + 1, num_rows)[:, None]] = 0
    return Examples(features=ids, targets=generator.integers(0, 2, num_rows))


def problem_of_texts(*, num_threads: int) -> Problem:
    """Of two classes."""
    return Problem(
        task=Task.BINARY,
        kind=DataKind.TEXT,
        num_outputs=2,
        cardinalities=(NUM_IDS,),
        seed=0,
        num_threads=num_threads,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedTable:
    """A binary problem; `categories` are the positions of codes."""

    train: Examples
    validation: Examples
    categories: list[int]

    def problem(self, *, num_threads: int) -> Problem:
        """As a job sees it."""
        return Problem(
            task=Task.BINARY,
            kind=DataKind.TABLE,
            num_outputs=2,
            num_numeric=self.train.features.shape[1] - len(self.categories),
            cardinalities=tuple(NUM_VALUES + 1 for _ in self.categories),
            seed=0,
            num_threads=num_threads,
        )


def write_table(folder: Path, num_rows: int) -> Path:
    """A channel: twenty numbers with gaps, four categories, and a label that follows from some of them."""
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(num_rows, 20))
    codes = generator.integers(0, NUM_VALUES, (num_rows, 4))
    signal = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + codes[:, 0] % 3 - 1 + generator.normal(size=num_rows)
    is_gap = generator.random(numbers.shape) < 0.05
    words = np.array([f"value {code}" for code in range(NUM_VALUES)])
    arrays = {f"x{at}": pa.array(numbers[:, at], mask=is_gap[:, at]) for at in range(20)}
    arrays |= {f"c{at}": pa.array(words[codes[:, at]]) for at in range(4)}
    arrays["label"] = pa.array(np.where(signal > 0, "yes", "no"))
    types = {name: ColumnType.NUMBER if name.startswith("x") else ColumnType.STRING for name in arrays}
    columns = [Column(name=name, type=kind) for name, kind in types.items()]
    schema = Schema(kind=DatasetKind.TABLE, columns=columns, target="label")
    folder.mkdir(parents=True)
    (folder / "schema.json").write_text(schema.model_dump_json(), encoding="utf-8")
    pq.write_table(pa.table(arrays), folder / "00000.parquet", compression="zstd")
    return folder


def encode_by_hand(folder: Path) -> EncodedTable:
    """Numbers as they are, a code for each category, a fifth held out."""
    read = pq.read_table(folder / "00000.parquet")
    features = np.empty((read.num_rows, read.num_columns - 1), np.float32)
    categories = []
    for at, name in enumerate(read.column_names[:-1]):
        column = read.column(name)
        if pa.types.is_string(column.type):
            column = column.combine_chunks().dictionary_encode().indices
            categories.append(at)
        features[:, at] = column.to_numpy(**({} if at in categories else {"zero_copy_only": False}))
    labels = (read.column("label").to_numpy(zero_copy_only=False) == "yes").astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    held, kept = np.split(order, [len(labels) // 5])
    train, validation = (Examples(features=features[rows], targets=labels[rows]) for rows in (kept, held))
    return EncodedTable(train=train, validation=validation, categories=categories)
