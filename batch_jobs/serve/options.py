"""What the command line and SageMaker's variables say, for every worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settled once, by the first process."""

    models: Path
    """One model's files, or a folder for each model, or for each version of each."""
    name: str
    """Of the model, where `models` is one."""
    state: Path
    """A folder that the workers share while they live."""
    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    num_workers: int = 1
    num_threads: int = 1
    """Of one run."""
    cache_bytes: int = 512 * 1024**2
    """Of the models that a worker holds at once."""
    timeout_seconds: float = 60.0
    transforms: Mapping[str, str] = field(default_factory=dict)
    """By the name of the model; that of "" is of every other model."""
    is_multi_model: bool = False
    """SageMaker says which models to load."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can ask."""
        return self.host in ("127.0.0.1", "localhost", "::1")
