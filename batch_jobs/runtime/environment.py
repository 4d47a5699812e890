"""A read-only picture of where a job runs: SageMaker's folders, hosts and resources, taken once at the start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass_core.domain.jobs import AnySpec
from aimass_core.ports import Ports
from batch_jobs.runtime.cluster import ALONE, Cluster, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlace:
    """Where a study's trials and artifacts lie.

    `client` is boto3's for DynamoDB and `table` that of the studies: Optuna's storage is made of them. There the study
    is named by its `study_id`.
    """

    ports: Ports
    workspace_id: str
    study_id: str
    client: Any
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a job's code may know. Nothing below reads an environment variable or a literal /opt/ml.

    `channels` maps a channel's name to its folder: `schema.json` and Parquet files. `job` names the job to itself and
    to later attempts. `memory_bytes` is what the job may have of it; None where nobody said. `deadline` is the
    `time.monotonic()` at which the compute service kills this attempt; None where nobody said.
    `models` maps the role of a registered model (`parent`, `member-1`, `single`, `predictor`) to a folder with its
    files.
    `parts_path` takes a folder for each part of a decomposition (`gate`, `expert-1`), with the files of a model: each
    is registered for itself.
    `study` is None where the job is none of a study, or runs without our registry.
    """

    base_path: Path
    channels: Mapping[str, Path]
    models: Mapping[str, Path] = field(default_factory=dict)
    model_path: Path
    output_path: Path
    checkpoint_path: Path
    spec: AnySpec
    attempt: int
    num_cpus: int
    num_gpus: int
    memory_bytes: int | None = None
    cluster: Cluster
    worker: Worker = ALONE
    study: StudyPlace | None = None
    job: str = ""
    deadline: float | None = None
    dataset: str = ""
    dataset_digest: str | None = None

    @property
    def parts_path(self) -> Path:
        """See above."""
        return self.base_path / "parts"
