"""What quantization loses of networks that were cut much, with and without a training that knows of it.

On scikit-learn's digits, read as images, as columns and as series, and on values. Half of the rows train and choose,
half judge; AIMASS_BENCH_SEEDS (6) models are trained of each kind. The one without is fine-tuned once more before, for
as long as the one with is trained for its bits.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits, make_friedman1

from aimass_core.domain.compression import CompressionMethod, CompressSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from batch_jobs import train
from batch_jobs.compress.compressing import build_search
from batch_jobs.compress.contract import Ground
from batch_jobs.compress.methods import load_methods
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.notes import Notes
from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.channel_files import encode_png, write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

NUM_SEEDS = int(os.environ.get("AIMASS_BENCH_SEEDS", "6"))
METHODS = CompressionMethod
QUANTIZED: Mapping[str, dict[str, Any]] = {
    "static int8": {"mode": "static", "calibration": "minmax"},
    "weights of 4 bits": {"mode": "weights", "bits": 4},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A network, and what is cut out of it before it is quantized."""

    algorithm: str
    hyperparameters: Mapping[str, Any]
    ratio: float


_MLP = {"hidden": [64, 64], "patience": None}
CASES = {
    "cnn on digits": Case(
        algorithm="cnn",
        hyperparameters={"channels": [16, 32], "hidden": 64, "patience": None, "epochs": 60},
        ratio=0.75,
    ),
    "mlp on digits": Case(algorithm="mlp", hyperparameters=_MLP, ratio=0.75),
    "rnn on digits": Case(algorithm="rnn", hyperparameters={"patience": None, "epochs": 20}, ratio=0.65),
    "mlp on friedman1": Case(algorithm="mlp", hyperparameters=_MLP, ratio=0.75),
}


@pytest.mark.timeout(7_200)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_quantization_with_and_without_training_for_it(tmp_path: Path, name: str) -> None:
    write = _write_values if name.endswith("friedman1") else _write_digits
    channels = write(tmp_path / "data", CASES[name].algorithm)
    figures = np.array([_measure(tmp_path / str(seed), channels, CASES[name], seed) for seed in range(NUM_SEEDS)])
    labels = ["original", "cut and fine-tuned", "fine-tuned once more"]
    labels += [f"{words} {kind}" for kind in QUANTIZED for words in ("  in", "trained for")]
    rows = [
        [label, f"{bytes_:,.0f}", f"{score:.4f}", f"{loss:.4f}"]
        for label, (bytes_, score, loss) in zip(labels, figures.mean(axis=0), strict=True)
    ]
    names = ["rmse", "r2"] if name.endswith("friedman1") else ["log loss", "accuracy"]
    print_table(f"{name}, means of {NUM_SEEDS} models", ["", "bytes", *names[::-1]], rows)
    for place, kind in enumerate(QUANTIZED):
        without, trained = (figures[:, 3 + 2 * place + at, 2] - figures[:, 2, 2] for at in (0, 1))
        print(f"{names[0]} that {kind} adds, model by model: {np.round(without, 4)}; trained: {np.round(trained, 4)}")
        # What int8 loses is nothing that could be won back, nor what 4 bits lose of some.
        assert kind == "static int8" or trained.mean() < without.mean() + 0.001


def _write_digits(path: Path, algorithm: str) -> dict[str, Path]:
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    half = len(order) // 2
    channels = {}
    for channel, rows in (("train", order[:half]), ("test", order[half:])):
        images, options = found.images[rows], {}
        columns: dict[str, tuple[ColumnType, list[Any]]]
        if algorithm == "cnn":
            pngs = [encode_png((image * 15.9).astype(np.uint8)) for image in images]
            columns = {"image": (ColumnType.IMAGE, pngs)}
            options = {"kind": DatasetKind.IMAGES, "image_shape": ImageShape(height=8, width=8, channels=1)}
        elif algorithm == "rnn":
            columns = {f"line_{at}": (ColumnType.SERIES, images[:, at].tolist()) for at in range(8)}
        else:
            columns = {f"p{at}": (ColumnType.NUMBER, found.data[rows, at].tolist()) for at in range(64)}
        columns["digit"] = (ColumnType.STRING, [str(digit) for digit in found.target[rows]])
        channels[channel] = write_channel(path / channel, columns, target="digit", **options)
    return channels


def _write_values(path: Path, algorithm: str) -> dict[str, Path]:
    """Friedman's first problem (1991), with little noise."""
    found, truth = make_friedman1(n_samples=4_000, noise=0.1, random_state=0)
    channels = {}
    for channel, rows in (("train", slice(0, 2_000)), ("test", slice(2_000, None))):
        columns = {f"x{at}": (ColumnType.NUMBER, column.tolist()) for at, column in enumerate(found[rows].T)}
        columns["digit"] = (ColumnType.NUMBER, truth[rows].tolist())
        channels[channel] = write_channel(path / channel, columns, target="digit")
    return channels


def _measure(path: Path, channels: Mapping[str, Path], case: Case, seed: int) -> list[list[float]]:
    """Bytes, score and loss on the rows that judge, of each model of the table."""
    spec = {"dataset": "digits@1", "seed": seed}
    given = {**spec, "algorithm": case.algorithm, "hyperparameters": case.hyperparameters}
    train.run(build_environment(path / "trained", channels, TrainSpec.model_validate(given)), RecordingReporter())
    original = RegisteredModel.load(path / "trained/model", name="digits@1")
    ground = _open(path / "compressed", channels, original, spec)
    methods = {each.method: each for each in load_methods(None)}
    finetuning, quantization = methods[METHODS.FINETUNING], methods[METHODS.QUANTIZATION]
    first = onnx.load_from_string(original.model)
    cut = methods[METHODS.SPARSIFICATION].apply(first, {"ratio": case.ratio}, ground)
    cut = finetuning.apply(cut, {}, ground)
    longer = finetuning.apply(cut, {}, ground)
    models = [first, cut, longer]
    for settings in QUANTIZED.values():
        models.append(quantization.apply(longer, settings, ground))
        models.append(quantization.apply(cut, {**settings, "aware": True}, ground))
    part = ground.material.parts["test"]
    sample = part.sample(seed=0)
    found = []
    for model in models:
        body = model.SerializeToString()
        scores = Scorer(body, original.signature).answer(sample.frame).scores
        metrics = evaluate("test", ground.material.target, sample.truth, scores).metrics
        names = ("rmse", "r2") if ground.material.target.labels is None else ("log_loss", "accuracy")
        found.append([float(len(body)), *(metrics[name] for name in names[::-1])])
    return found


def _open(path: Path, channels: Mapping[str, Path], original: RegisteredModel, data: Mapping[str, Any]) -> Ground:
    given = {"kind": "compress", "parent": original.name, "data": data, "seed": data["seed"]}
    spec = CompressSpec.model_validate(given)
    assert spec.data is not None
    environment = build_environment(path, channels, spec)
    reporter = RecordingReporter()
    material = read_material(environment, spec.data, [original], Notes(reporter))
    search = build_search(environment, spec, original, material, ends=None, message=reporter.message, reporter=reporter)
    return search.ground
