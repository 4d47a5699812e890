"""A prepare job: its channels through a recipe, and what comes of it delivered as dataset versions."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aimass_core import bootstrap
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.recipes import DATA_CHANNEL, Preparation, PreparedOutput, PrepareSpec
from aimass_core.domain.schemas import Schema
from aimass_core.errors import InternalError, InvalidDataError
from aimass_core.ports import Ports
from aimass_core.services import datasets, platform
from aimass_core.services.ingest import delivery
from aimass_core.services.ingest.conversion import LocalFile
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Engine, Source
from aimass_core.services.recipes.running import Prepared
from aimass_core.services.recipes.running import run as run_recipe
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter

DOCUMENT = "preparation.json"
# The rest is Python's, the libraries', and of what the engine does not count.
_SHARE_OF_MEMORY = 0.5
_THREAD_BYTES = 160 * 1024**2


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `prepare`. Raises InvalidDataError where a step or a version fails."""
    if not isinstance(environment.spec, PrepareSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as prepare.")
    settings = ContainerSettings()
    return prepare(
        bootstrap.build_ports(settings),
        settings.workspace_id,
        environment.spec,
        environment,
        reporter,
        spark_above_bytes=settings.spark_above_bytes,
    )


def prepare(
    ports: Ports,
    workspace_id: str,
    spec: PrepareSpec,
    environment: Environment,
    reporter: Reporter,
    *,
    spark_above_bytes: int | None = None,
) -> dict[str, float]:
    """Carries the recipe out and delivers; a version that a former attempt has delivered is the same one."""
    num_steps = len(spec.recipe.steps) + 2

    def on_step(number: int, do: str) -> None:
        reporter.progress("prepare", step=number - 1, num_steps=num_steps, message=do)

    sources = load_sources(environment)
    with tempfile.TemporaryDirectory(prefix="prepare-", dir=environment.base_path) as folder:
        work_path = Path(folder)
        with open_engine(environment, sources, work_path, spark_above_bytes) as engine:
            prepared = run_recipe(spec.recipe, engine, sources, on_step=on_step)
            for report in prepared.reports:
                for note in report.notes:
                    reporter.message(f"Step {report.number} ({report.do}): {note}")
            written = _write(prepared, sources[DATA_CHANNEL].label, work_path)
        reporter.progress("prepare", step=num_steps - 1, num_steps=num_steps, message="deliver")
        outputs = _deliver(ports, workspace_id, spec, environment, written, num_rows_in=prepared.num_rows_in)
    document = Preparation(
        engine=engine.name,
        num_rows_in=prepared.num_rows_in,
        num_rows_out=sum(part.num_rows for part in written),
        num_quarantined=sum(report.num_quarantined for report in prepared.reports),
        steps=list(prepared.reports),
        outputs=outputs,
    )
    environment.output_path.mkdir(parents=True, exist_ok=True)
    (environment.output_path / DOCUMENT).write_text(document.model_dump_json(indent=1))
    return {
        "num_rows_in": float(document.num_rows_in),
        "num_rows_out": float(document.num_rows_out),
        "num_quarantined": float(document.num_quarantined),
    }


def load_sources(environment: Environment) -> dict[str, Source]:
    """The channels as the engines read them."""
    sources = {}
    for name, folder in environment.channels.items():
        schema = Schema.model_validate_json((folder / "schema.json").read_text())
        label = environment.dataset if name == DATA_CHANNEL and environment.dataset else name
        sources[name] = Source(label=label, schema=schema, files=sorted(folder.glob("*.parquet")))
    return sources


@contextmanager
def open_engine(
    environment: Environment, sources: Mapping[str, Source], work_path: Path, spark_above_bytes: int | None
) -> Iterator[Engine]:
    """DuckDB; Spark for data that have more bytes than the setting says."""
    num_bytes = sum(file.stat().st_size for source in sources.values() for file in source.files)
    if spark_above_bytes is not None and num_bytes > spark_above_bytes:
        # NOTE: needs Java and PySpark, which the container's image has only where the deployment wants Spark.
        from batch_jobs.prepare.spark import SparkEngine, open_session

        with open_session(
            work_path, num_threads=environment.num_cpus, memory_bytes=environment.memory_bytes
        ) as session:
            yield SparkEngine(session, work_path)
        return
    memory_bytes, num_threads = None, environment.num_cpus
    if environment.memory_bytes is not None:
        memory_bytes = int(environment.memory_bytes * _SHARE_OF_MEMORY)
        num_threads = max(1, min(num_threads, memory_bytes // _THREAD_BYTES))
    read_paths = list(environment.channels.values())
    with DuckDbEngine(work_path, read_paths=read_paths, memory_bytes=memory_bytes, num_threads=num_threads) as engine:
        yield engine


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    name: str
    files: Sequence[Path]
    quarantined: Path | None
    num_rows: int


def _write(prepared: Prepared, label: str, work_path: Path) -> list[_Part]:
    """Every part on the disk; the rows that were kept apart go with the first. Raises InvalidDataError for none."""
    quarantined = work_path / "quarantine.jsonl"
    with quarantined.open("w", encoding="utf-8") as stream:
        for row in prepared.quarantined(label):
            stream.write(row.model_dump_json() + "\n")
    parts: list[_Part] = []
    for name in prepared.parts or [""]:
        num_rows = prepared.count(name)
        if not num_rows:
            last = next((step for step in prepared.reports if not step.num_rows_out), prepared.reports[-1])
            words = f"the part {name!r}" if name else "the dataset"
            raise InvalidDataError(
                f"No row is left for {words}, after step {last.number} ({last.do}): look at a preview."
            )
        folder = work_path / f"part-{name}"
        folder.mkdir()
        files = prepared.export(folder, name)
        parts.append(_Part(name=name, files=files, quarantined=None if parts else quarantined, num_rows=num_rows))
    return parts


def _deliver(
    ports: Ports,
    workspace_id: str,
    spec: PrepareSpec,
    environment: Environment,
    parts: Sequence[_Part],
    *,
    num_rows_in: int,
) -> list[PreparedOutput]:
    principal = platform.principal("prepare", workspace_id)
    names = spec.outputs(split_ref(spec.dataset)[0])
    outputs = []
    for part in parts:
        dataset = datasets.ensure(ports, principal, names[part.name])
        version = delivery.deliver(
            ports,
            principal,
            dataset,
            [LocalFile(path=path, display_name=path.name) for path in part.files],
            mode=spec.mode,
            key=f"{environment.job}/{part.name}",
            quarantined=part.quarantined,
            num_seen=num_rows_in,
            job_id=environment.job or None,
        )
        if version.status is not DatasetVersionStatus.READY:
            raise InvalidDataError(
                f"Version {version.number} of {dataset.name!r} is {version.status}: {version.status_reason}"
            )
        outputs.append(
            PreparedOutput(
                part=part.name, dataset_name=dataset.name, number=version.number, num_rows=version.num_rows or 0
            )
        )
    return outputs
