"""The workers of a study's job, each in a process of its own, as containers are."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimass_core.bootstrap import AwsPorts, build_ports
from aimass_core.domain.jobs import JOB_SPEC
from aimass_core.settings import StorageSettings
from batch_jobs.runtime.cluster import Cluster, Worker
from batch_jobs.runtime.environment import Environment, StudyPlace
from batch_jobs.runtime.reports.console import ConsoleReporter
from batch_jobs.search import searching


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the study of a test lies, in words that can be given to another process."""

    path: Path
    channel: Path
    table: str
    bucket: str
    workspace_id: str
    study_id: str = "std_1"

    def ports(self) -> AwsPorts:
        return build_ports(
            StorageSettings(
                registry_table="registry",
                studies_table=self.table,
                landing_bucket=self.bucket,
                lake_bucket=self.bucket,
            )
        )

    def environment(self, spec: dict[str, Any], *, index: int, count: int) -> Environment:
        base, ports = self.path / f"worker-{index}", self.ports()
        return Environment(
            base_path=base,
            channels={"train": self.channel},
            model_path=base / "model",
            output_path=base / "output",
            checkpoint_path=base / "checkpoints",
            spec=JOB_SPEC.validate_python({"kind": "search", "dataset": "tiny"} | spec),
            attempt=1,
            num_cpus=1,
            num_gpus=0,
            cluster=Cluster(),
            worker=Worker(index=index, count=count),
            study=StudyPlace(
                ports=ports,
                workspace_id=self.workspace_id,
                study_id=self.study_id,
                client=ports.clients.dynamodb,
                table=self.table,
            ),
            dataset="tiny",
            job="job_tiny",
        )


def work(place: Place, spec: dict[str, Any], index: int, count: int) -> None:
    """One worker, until the study is done."""
    os.environ["OMP_NUM_THREADS"] = "1"
    searching.run(place.environment(spec, index=index, count=count), ConsoleReporter())
