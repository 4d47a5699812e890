"""Training beside plain loops, `keras.fit`, and the libraries' own fit, on all processors of this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch

from aimass_core.domain.algorithms.recurrent import RNN
from aimass_core.domain.jobs import TrainSpec
from batch_jobs import train
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from tests.benchmarks import peers, sharing
from tests.benchmarks.report import Span, compare, print_table
from tests.benchmarks.workloads import (
    NUM_CLASSES,
    NUM_IDS,
    EncodedTable,
    Quiet,
    encode_by_hand,
    images,
    plain_steps,
    problem_of_images,
    problem_of_texts,
    texts,
    write_table,
)

THREADS = os.cpu_count() or 1
EPOCHS = 3
NUM_ROWS = 200_000


def _ours(
    algorithm: str, framework: str, problem: Problem, examples: Examples, *, batch_size: int
) -> Callable[[], object]:
    hyperparameters = {**plain_steps(algorithm), "epochs": EPOCHS, "batch_size": batch_size}
    spec = TrainSpec(dataset="bench", algorithm=algorithm, framework=framework, hyperparameters=hyperparameters)
    return lambda: build_learner(spec).fit(
        problem, examples, None, context=FitContext(listener=Quiet(), num_steps=EPOCHS)
    )


def _print_rates(title: str, spans: dict[str, Span], *, num_rows: int, of: str) -> None:
    """The first one is ours, beside each of the others."""
    ours, *_ = spans.values()
    rows = [
        [
            name,
            f"{EPOCHS * num_rows / span.seconds:,.0f}",
            f"{EPOCHS * num_rows / span.processor_seconds:,.0f}",
            f"{span.seconds / ours.seconds:.2f} x",
            f"{span.processor_seconds / ours.processor_seconds:.2f} x",
        ]
        for name, span in spans.items()
    ]
    header = ["", f"{of}/s", f"{of} per processor second", "ours is", "by processor time"]
    print_table(title, header, rows)


@pytest.mark.timeout(900)
def test_cnn_beside_a_plain_torch_loop() -> None:
    num_rows, size = 2_048, 128
    examples = images(num_rows)
    targets = torch.from_numpy(examples.targets)

    def plain(layout: torch.memory_format) -> None:
        features = peers.to_images(examples.features, channels_last=layout is torch.channels_last)
        network = peers.build_cnn(NUM_CLASSES).to(memory_format=layout)  # type: ignore[call-overload]
        peers.train_torch(network, features, targets, batch_size=size, epochs=EPOCHS, num_threads=THREADS)

    calls = {
        "aimass, cnn": _ours("cnn", "torch", problem_of_images(num_threads=THREADS), examples, batch_size=size),
        "plain loop, channels last": lambda: plain(torch.channels_last),
        "plain loop": lambda: plain(torch.contiguous_format),
    }
    _print_rates("CNN in torch", compare(calls, num_rounds=5), num_rows=num_rows, of="images")


@pytest.mark.timeout(900)
def test_bilstm_beside_a_plain_torch_loop() -> None:
    num_rows, size = 1_024, 64
    examples = texts(num_rows)
    ids, targets = torch.from_numpy(examples.features), torch.from_numpy(examples.targets)

    def plain(*, is_packed: bool) -> None:
        network = peers.BiLstm(NUM_IDS, 2, is_packed=is_packed)
        peers.train_torch(network, ids, targets, batch_size=size, epochs=EPOCHS, num_threads=THREADS)

    calls = {
        "aimass, rnn": _ours("rnn", "torch", problem_of_texts(num_threads=THREADS), examples, batch_size=size),
        "plain loop, packed sequences": lambda: plain(is_packed=True),
        "plain loop, padding read as well": lambda: plain(is_packed=False),
    }
    _print_rates("BiLSTM in torch", compare(calls, num_rounds=5), num_rows=num_rows, of="sequences")


@pytest.mark.timeout(900)
def test_cnn_beside_keras_fit() -> None:
    num_rows, size = 2_048, 128
    examples = images(num_rows)
    ours = _ours("cnn", "tensorflow", problem_of_images(num_threads=THREADS), examples, batch_size=size)

    def plain() -> None:
        pixels = examples.features.astype(np.float32)
        features = (pixels - pixels.mean()) / pixels.std()
        network = peers.build_keras_cnn(NUM_CLASSES)
        peers.train_keras(network, features, examples.targets, batch_size=size, epochs=EPOCHS)

    spans = compare({"aimass, cnn": ours, "keras.fit": plain}, num_rounds=4)
    _print_rates("CNN in TensorFlow, tracing included", spans, num_rows=num_rows, of="images")


@pytest.mark.timeout(900)
@pytest.mark.skipif("tensorflow" not in RNN.implementations, reason="rnn is torch's alone")
def test_bilstm_beside_keras_fit() -> None:
    num_rows, size = 1_024, 64
    examples = texts(num_rows)
    ours = _ours("rnn", "tensorflow", problem_of_texts(num_threads=THREADS), examples, batch_size=size)

    def plain() -> None:
        network = peers.build_keras_bilstm(NUM_IDS, 2)
        peers.train_keras(network, examples.features, examples.targets, batch_size=size, epochs=EPOCHS)

    spans = compare({"aimass, rnn": ours, "keras.fit": plain}, num_rounds=4)
    _print_rates("BiLSTM in TensorFlow, tracing included", spans, num_rows=num_rows, of="sequences")


@pytest.mark.timeout(900)
def test_two_processes_beside_one() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", sharing.__name__]
    processes = [
        subprocess.Popen([*command, str(rank), str(port), "4"], stdout=subprocess.PIPE, env=environment)
        for rank in (0, 1)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    main, other = ([json.loads(line) for line in output.splitlines()] for output in outputs)
    num_images = sharing.ROWS * sharing.EPOCHS
    alone, shared = (num_images / median(line[part] for line in main) for part in (0, 1))
    beside = sum(num_images / median(line[2] for line in lines) for lines in (main, other))
    print_table(
        "Two processes of one thread each, torch DistributedDataParallel, CNN",
        ["", "images/s", "shared is"],
        [
            ["one fit shared by both", f"{shared:,.0f}", ""],
            ["two fits beside each other, summed", f"{beside:,.0f}", f"{shared / beside:.2f} x"],
            ["twice a fit that is alone", f"{2 * alone:,.0f}", f"{shared / (2 * alone):.2f} x"],
        ],
    )


@dataclass
class _Phases:
    """Satisfies `Reporter`: when each phase of a job began, by the clock and by processor time."""

    begun: dict[str, tuple[float, float]] = field(default_factory=dict)

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        self.begun.setdefault(phase, _now())

    def metrics(self, step: int, values: Any) -> None:
        pass

    def message(self, text: str) -> None:
        pass


@pytest.mark.timeout(900)
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_trees_beside_the_library(library: str, tmp_path: Path) -> None:
    folder = write_table(tmp_path / "train", NUM_ROWS)
    spec = TrainSpec(dataset="bench", algorithm=library, hyperparameters=peers.TREES)

    def by_hand(encoded: EncodedTable) -> Any:
        if library == "xgboost":
            return peers.train_xgboost(encoded.train, encoded.validation, num_threads=THREADS)
        categories = encoded.categories
        return peers.train_lightgbm(encoded.train, encoded.validation, categories=categories, num_threads=THREADS)

    encoded = encode_by_hand(folder)
    problem = encoded.problem(num_threads=THREADS)
    calls = {
        f"aimass, {library}": lambda: build_learner(spec).fit(
            problem, encoded.train, encoded.validation, context=FitContext(listener=Quiet())
        ),
        f"{library}.train": lambda: by_hand(encoded),
    }
    spans = compare(calls, num_rounds=3)
    ours, theirs = spans.values()
    rows = [[name, f"{span.seconds:.2f} s", f"{span.processor_seconds:.2f} s"] for name, span in spans.items()]
    ratio = [f"{ours.seconds / theirs.seconds:.2f} x", f"{ours.processor_seconds / theirs.processor_seconds:.2f} x"]
    title, header = f"{library}, {NUM_ROWS:,} rows", ["", "time", "of processors"]
    print_table(f"{title}: the fit", header, [*rows, ["ours takes", *ratio]])

    phases, begun = _Phases(), _now()
    by_hand(encode_by_hand(folder)).save_model(str(tmp_path / "model.json"))
    by_hand_ended = _now()
    train.run(_environment(tmp_path, spec), phases)
    marks = [*phases.begun.values(), _now()]
    rows = [[f"aimass: {name}", *_span(marks[at], marks[at + 1])] for at, name in enumerate(phases.begun)]
    rows += [
        ["aimass: all of it", *_span(by_hand_ended, marks[-1])],
        [f"by hand: read, code, {library}.train, save_model", *_span(begun, by_hand_ended)],
    ]
    print_table(f"{title}: from file to model, ours also checked, judged and reported", header, rows)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _span(begun: tuple[float, float], ended: tuple[float, float]) -> list[str]:
    return [f"{after - before:.2f} s" for before, after in zip(begun, ended, strict=True)]


def _environment(folder: Path, spec: TrainSpec) -> Environment:
    return Environment(
        base_path=folder,
        channels={"train": folder / "train"},
        model_path=folder / "model",
        output_path=folder / "output",
        checkpoint_path=folder / "checkpoints",
        spec=spec,
        attempt=1,
        num_cpus=THREADS,
        num_gpus=0,
        cluster=Cluster(),
        dataset="bench",
    )
