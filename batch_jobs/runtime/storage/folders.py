"""SageMaker's folders below one root, on whichever service the container runs."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAGEMAKER_ROOT = Path("/opt/ml")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a container finds what it is given and leaves what it makes."""

    root: Path

    @property
    def config(self) -> Path:
        """hyperparameters.json, inputdataconfig.json, resourceconfig.json."""
        return self.root / "input" / "config"

    @property
    def data(self) -> Path:
        """One folder per channel."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """The model's artifacts."""
        return self.root / "model"

    @property
    def parts(self) -> Path:
        """One folder per part of a decomposition, with the same files as `model`. Not there without any."""
        return self.root / "parts"

    @property
    def output(self) -> Path:
        """Everything else that is kept."""
        return self.root / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """Resumable training state."""
        return self.root / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.root / "output" / "tensorboard"

    @property
    def failure(self) -> Path:
        """Why the job failed; its first line is the cause."""
        return self.root / "output" / "failure"

    def make(self) -> None:
        """Creates what is not there."""
        for path in (self.config, self.data, self.model, self.output, self.tensorboard, self.checkpoints):
            path.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Removes what an earlier attempt in the same place left; checkpoints stay."""
        for path in (self.root / "input", self.model, self.parts, self.root / "output"):
            shutil.rmtree(path, ignore_errors=True)


def resolve_folders(variables: Mapping[str, str], *, is_batch: bool, working_path: Path) -> Folders:
    """SAGEMAKER_BASE_DIR, else /opt/ml; where Batch's container has no /opt/ml to write to, its working directory."""
    if chosen := variables.get("SAGEMAKER_BASE_DIR"):
        return Folders(Path(chosen))
    if is_batch and not os.access(SAGEMAKER_ROOT, os.W_OK):
        return Folders(working_path / "ml")
    return Folders(SAGEMAKER_ROOT)


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Regular files by their path within the folder. No links: one could name any file of the container."""
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            if stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix(), path
