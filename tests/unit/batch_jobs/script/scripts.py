"""Scripts of users and where they run, for tests that start them as real processes."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aimass_core.domain.jobs import JobKind, ScriptSpec
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.storage.folders import Folders
from batch_jobs.script.workflow import run_source

OWN = {
    "PATH": "/usr/bin:/bin",
    "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-job-role",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/0123",
    "AIMASS_REGISTRY_TABLE": "aimass-registry",
    "AIMASS_STUDIES_TABLE": "aimass-studies",
    "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0",
    "GITHUB_TOKEN": "ghp-something-secret",
}


@dataclass
class Told:
    """A reporter that remembers."""

    messages: list[str] = field(default_factory=list)
    points: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""
        self.points.append((step, dict(values)))

    def message(self, text: str) -> None:
        """See Reporter."""
        self.messages.append(text)


@dataclass
class Desk:
    """Folders of one job, and what it told."""

    folders: Folders
    told: Told

    def run(
        self,
        files: Mapping[str, str | bytes],
        *,
        entry_point: str = "train.py",
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
        model: str | None = None,
        own: Mapping[str, str] = OWN,
    ) -> dict[str, float]:
        """Runs a source to its end, as the container does."""
        spec = ScriptSpec(
            kind=JobKind.SCRIPT,
            source="0" * 64,
            entry_point=entry_point,
            hyperparameters=dict(hyperparameters or {}),
            model=model,
        )
        packed = self.folders.root / "source.tar.gz"
        packed.write_bytes(pack(files))
        return run_source(self.environment(spec), spec, packed, self.told, own)

    def environment(self, spec: ScriptSpec) -> Environment:
        """With one channel, `train`."""
        return Environment(
            base_path=self.folders.root,
            channels={"train": self.folders.data / "train"},
            model_path=self.folders.model,
            output_path=self.folders.output,
            checkpoint_path=self.folders.checkpoints,
            spec=spec,
            attempt=1,
            num_cpus=2,
            num_gpus=0,
            cluster=Cluster(),
            dataset="adult@1",
        )


def new_desk(path: Path) -> Desk:
    """An empty one."""
    folders = Folders(path / "ml")
    folders.make()
    (folders.data / "train").mkdir()
    return Desk(folders, Told())


def pack(files: Mapping[str, str | bytes]) -> bytes:
    """A .tar.gz of files by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            body = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def build_wheel() -> bytes:
    """A package `sample_own`, without anything that builds one."""
    info = "sample_own-1.dist-info"
    texts = {
        "sample_own/__init__.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: sample-own\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*texts, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return buffer.getvalue()
