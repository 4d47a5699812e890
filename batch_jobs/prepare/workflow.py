"""A prepare job: its channels through a recipe, and what comes of it delivered as dataset versions."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from aimass_core.services.recipes.engine import Source
from aimass_core.services.recipes.running import run as run_recipe
from aimass_core.settings import ContainerSettings
from batch_jobs.prepare import spark_runs
from batch_jobs.prepare.contract import Made, MadePart, label_of
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.channels import find_left

DOCUMENT = "preparation.json"
# The rest is Python's, the libraries', and of what the engine does not count.
_SHARE_OF_MEMORY = 0.5
_THREAD_BYTES = 160 * 1024**2


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `prepare`. Raises InvalidDataError where a step or a version fails."""
    if not isinstance(environment.spec, PrepareSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as prepare.")
    settings = ContainerSettings()
    return prepare(bootstrap.build_ports(settings), settings.workspace_id, environment.spec, environment, reporter)


def prepare(
    ports: Ports,
    workspace_id: str,
    spec: PrepareSpec,
    environment: Environment,
    reporter: Reporter,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Carries the recipe out and delivers; a version that a former attempt has delivered is the same one.

    Data that were left in the lake, since they are so many, are Spark's; all others DuckDB's.
    """
    num_steps = len(spec.recipe.steps) + 2
    is_left = find_left(environment.channels[DATA_CHANNEL]) is not None
    with tempfile.TemporaryDirectory(prefix="prepare-", dir=environment.base_path) as folder:
        work_path = Path(folder)
        making = (
            spark_runs.make(ports, workspace_id, spec, environment, reporter=reporter, work_path=work_path, sleep=sleep)
            if is_left
            else _make(spec, environment, reporter, work_path)
        )
        with making as made:
            for report in made.steps:
                for note in report.notes:
                    reporter.message(f"Step {report.number} ({report.do}): {note}")
            _require_rows(made)
            reporter.progress("prepare", step=num_steps - 1, num_steps=num_steps, message="deliver")
            outputs = _deliver(ports, workspace_id, spec, environment, made)
    document = Preparation(
        engine=made.engine,
        num_rows_in=made.num_rows_in,
        num_rows_out=sum(part.num_rows for part in made.parts),
        num_quarantined=sum(report.num_quarantined for report in made.steps),
        steps=list(made.steps),
        outputs=outputs,
    )
    environment.output_path.mkdir(parents=True, exist_ok=True)
    (environment.output_path / DOCUMENT).write_text(document.model_dump_json(indent=1))
    return {
        "num_rows_in": float(document.num_rows_in),
        "num_rows_out": float(document.num_rows_out),
        "num_quarantined": float(document.num_quarantined),
        **made.metrics,
    }


def load_sources(environment: Environment) -> dict[str, Source]:
    """The channels as the engine of this machine reads them."""
    sources = {}
    for name, folder in environment.channels.items():
        schema = Schema.model_validate_json((folder / "schema.json").read_text())
        sources[name] = Source(label=label_of(environment, name), schema=schema, files=sorted(folder.glob("*.parquet")))
    return sources


@contextmanager
def _make(spec: PrepareSpec, environment: Environment, reporter: Reporter, work_path: Path) -> Iterator[Made]:
    """On DuckDB, here."""
    num_steps = len(spec.recipe.steps) + 2

    def on_step(number: int, do: str) -> None:
        reporter.progress("prepare", step=number - 1, num_steps=num_steps, message=do)

    sources = load_sources(environment)
    with _open_engine(environment, work_path) as engine:
        prepared = run_recipe(spec.recipe, engine, sources, on_step=on_step)
        quarantined = work_path / "quarantine.jsonl"
        with quarantined.open("w", encoding="utf-8") as stream:
            for row in prepared.quarantined(sources[DATA_CHANNEL].label):
                stream.write(row.model_dump_json() + "\n")
        parts = []
        for name in prepared.parts or [""]:
            folder = work_path / f"part-{name}"
            folder.mkdir()
            prepared.export(str(folder), name)
            parts.append(MadePart(name=name, folder=folder, num_rows=prepared.count(name)))
    yield Made(
        engine=engine.name,
        num_rows_in=prepared.num_rows_in,
        steps=prepared.reports,
        parts=parts,
        quarantined=quarantined,
    )


@contextmanager
def _open_engine(environment: Environment, work_path: Path) -> Iterator[DuckDbEngine]:
    memory_bytes, num_threads = None, environment.num_cpus
    if environment.memory_bytes is not None:
        memory_bytes = int(environment.memory_bytes * _SHARE_OF_MEMORY)
        num_threads = max(1, min(num_threads, memory_bytes // _THREAD_BYTES))
    read_paths = list(environment.channels.values())
    with DuckDbEngine(work_path, read_paths=read_paths, memory_bytes=memory_bytes, num_threads=num_threads) as engine:
        yield engine


def _require_rows(made: Made) -> None:
    for part in made.parts:
        if not part.num_rows:
            last = next((step for step in made.steps if not step.num_rows_out), made.steps[-1])
            words = f"the part {part.name!r}" if part.name else "the dataset"
            raise InvalidDataError(
                f"No row is left for {words}, after step {last.number} ({last.do}): look at a preview."
            )


def _deliver(
    ports: Ports, workspace_id: str, spec: PrepareSpec, environment: Environment, made: Made
) -> list[PreparedOutput]:
    """The rows that were kept apart go with the first part."""
    principal = platform.principal("prepare", workspace_id)
    names = spec.outputs(split_ref(spec.dataset)[0])
    outputs = []
    for index, part in enumerate(made.parts):
        dataset = datasets.ensure(ports, principal, names[part.name])
        version = delivery.deliver(
            ports,
            principal,
            dataset,
            [LocalFile(path=path, display_name=path.name) for path in sorted(part.folder.glob("part*.parquet"))],
            mode=spec.mode,
            key=f"{environment.job}/{part.name}",
            quarantined=None if index else made.quarantined,
            num_seen=made.num_rows_in,
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
