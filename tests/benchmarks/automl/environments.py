"""The peers' virtual environments: made once, outside of the tree, each with what its peer wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
# Neither the CUDA build of torch nor the XGBoost that brings NCCL is needed: gigabytes, refused by what they ask for.
_CONSTRAINTS = "triton<0\nnvidia-nccl-cu12<0\ntorch==2.13.0\n"


class NotInstalledError(Exception):
    """pip could not get a peer, or not all that it wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """An AutoML tool, as pip installs it.

    FLAML 2.7 wants an XGBoost before 3, hence its parts by name: its extra would bring the one with NCCL.
    """

    name: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """AIMASS_BENCH_CACHE, or ~/.cache/aimass-bench."""
        return Path(os.environ.get("AIMASS_BENCH_CACHE", "~/.cache/aimass-bench")).expanduser() / self.name

    def install(self) -> Path:
        """The environment's Python. Raises NotInstalledError."""
        python, wanted = self.folder / "bin" / "python", self.folder / "requirements.txt"
        text = "\n".join(self.requirements)
        if not wanted.exists() or wanted.read_text() != text:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder)], check=True)
            constraints = self.folder / "constraints.txt"
            constraints.write_text(_CONSTRAINTS)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(constraints)]
            done = subprocess.run([*pip, *self.requirements], check=False, capture_output=True, text=True)
            if done.returncode:
                raise NotInstalledError(f"pip cannot install {self.name}: {done.stderr.strip()[-500:]}")
            wanted.write_text(text)
        return python

    def run(self, task_path: Path, *, timeout_seconds: float) -> Mapping[str, Any]:
        """What its script prints. Raises subprocess.SubprocessError."""
        done = subprocess.run(
            [str(self.install()), str(_HERE / f"{self.name}_peer.py"), str(task_path)],
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode:
            raise subprocess.SubprocessError(f"{self.name} ended with {done.returncode}: {done.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


FLAML = Peer(
    name="flaml",
    requirements=(
        "flaml==2.7.0",
        "lightgbm==4.7.0",
        "xgboost-cpu==2.1.4",
        "scikit-learn==1.9.1",
        "pandas==3.1.1",
        "scipy==1.17.1",
    ),
)
AUTOGLUON = Peer(
    name="autogluon",
    requirements=("autogluon.tabular[catboost,fastai,lightgbm,ray,xgboost]==1.6.3", "torch==2.13.0"),
)
PEERS = {peer.name: peer for peer in (FLAML, AUTOGLUON)}
