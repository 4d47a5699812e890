"""Several processes train on data that is larger than their memory: each reads its own row groups."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel

_SECONDS = 400
_PORT = 31_000
_MACHINE = """
import json, sys
from pathlib import Path
from aimass_core.domain.jobs import TrainSpec
from batch_jobs import train
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reports.console import ConsoleReporter

base, data, rank, num, port = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])
metrics = train.run(
    Environment(
        base_path=base, channels={"train": data}, model_path=base / "model", output_path=base / "output",
        checkpoint_path=base / "checkpoints", spec=TrainSpec.model_validate(json.loads(sys.argv[6])), attempt=1,
        num_cpus=1, num_gpus=0, memory_bytes=64 * 1024,
        cluster=Cluster(
            rank=rank, hosts=tuple(f"algo-{number}" for number in range(num)), first_port=port, interface="lo"
        ),
    ),
    ConsoleReporter(),
)
print(json.dumps(metrics))
"""


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Row groups of very different sizes."""
    columns, signal = mixed_columns(700, seed=3)
    noisy = signal + np.random.default_rng(0).normal(0, 1, len(signal))
    columns["good"] = (ColumnType.STRING, np.where(noisy > 0, "yes", "no").tolist())
    path = write_channel(tmp_path / "train", columns, target="good")
    file = path / "00000.parquet"
    table = pq.read_table(file)
    with pq.ParquetWriter(file, table.schema) as writer:
        for first, end in ((0, 400), (400, 500), (500, 640), (640, 700)):
            writer.write_table(table.slice(first, end - first))
    return path


def _train(path: Path, channel: Path, num: int, spec: dict[str, Any], *, port: int) -> list[tuple[int, str]]:
    """The exit code and the output of each."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    words = json.dumps({"dataset": "tiny"} | spec)
    started = []
    for rank in range(num):
        arguments = [str(path / f"{num}-{rank}"), str(channel), *map(str, (rank, num, port)), words]
        command = [sys.executable, "-c", _MACHINE, *arguments]
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    return [
        (process.returncode, output) for process in started for output in [process.communicate(timeout=_SECONDS)[0]]
    ]


@pytest.mark.parametrize(
    ("algorithm", "chosen"),
    [
        pytest.param(
            "mlp",
            {"epochs": 8, "patience": 8, "batch_size": 64, "dropout": 0.0, "hidden": [32]},
            marks=pytest.mark.slow,
        ),
        ("xgboost", {"num_rounds": 60, "early_stopping_rounds": 20}),
    ],
)
def test_machines_with_unequal_row_groups_make_a_model_as_good_as_that_of_one(
    tmp_path: Path, channel: Path, algorithm: str, chosen: dict[str, Any]
) -> None:
    spec = {"algorithm": algorithm, "hyperparameters": chosen, "refit": True}
    port = _PORT + 40 * (os.getpid() % 40)
    found = []
    for num in (1, 2):
        machines = _train(tmp_path, channel, num, spec, port=port)
        assert [code for code, _ in machines] == [0] * num, machines
        found.append(json.loads(machines[0][1].splitlines()[-1]))
    # By the fits that had not seen the rows; each is followed by one that has.
    assert found[1]["roc_auc"] == pytest.approx(found[0]["roc_auc"], abs=0.03)
    assert not (tmp_path / "2-1" / "model").exists()
    card = Card.model_validate_json((tmp_path / "2-0" / "model" / "card.json").read_bytes())
    assert (card.is_refitted, card.num_train_rows) == (True, 700)
