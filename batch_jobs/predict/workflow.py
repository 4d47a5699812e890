"""A predict job: its workers answer parts of the rows, and the first of them delivers all as a dataset version."""

import itertools
import logging
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core import bootstrap
from aimass_core.domain.batch_predictions import ERROR, ROW, BatchPrediction, PredictSpec, RowError
from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.recipes import DATA_CHANNEL
from aimass_core.domain.signatures import Signature
from aimass_core.errors import InternalError, InvalidDataError
from aimass_core.ports import Ports
from aimass_core.services import datasets, platform
from aimass_core.services.ingest import delivery, own_files
from aimass_core.services.ingest.conversion import LocalFile
from aimass_core.services.job_models import PREDICTOR
from aimass_core.settings import ContainerSettings
from batch_jobs.data.channels import Channel
from batch_jobs.data.stored import StoredChannel, open_channel
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.predict.answering import Answering
from batch_jobs.predict.inputs import window_of
from batch_jobs.predict.parts import Part, PartStore, divide, in_turn, read, read_before
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter

DOCUMENT = "predictions.json"
_BATCH_BYTES, _MAX_BATCH_ROWS = 16 * 1024**2, 16_384
_CELL_BYTES = 48
_MAX_ERRORS = 20
_log = logging.getLogger(__name__)

_Asked = tuple[Channel, int]
"""Rows, of which the first are none to be answered."""


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `predict`. Raises InvalidDataError where no row can be answered."""
    if not isinstance(environment.spec, PredictSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as predict.")
    settings = ContainerSettings()
    ports = bootstrap.build_ports(settings)
    return predict(ports, settings.workspace_id, environment.spec, environment, reporter)


def predict(
    ports: Ports, workspace_id: str, spec: PredictSpec, environment: Environment, reporter: Reporter
) -> dict[str, float]:
    """The same on given ports."""
    model = RegisteredModel.load(environment.models[PREDICTOR], name=spec.model)
    channel = open_channel(DATA_CHANNEL, environment.channels[DATA_CHANNEL])
    # NOTE: batches are answered side by side, which scales further than the threads within one graph.
    answering = Answering(scorer=Scorer(model.model, model.signature), keys=spec.keys)
    parts = divide(channel, num_workers=spec.num_workers)
    store = PartStore(lake=ports.lake, workspace_id=workspace_id, job_id=environment.job)
    with tempfile.TemporaryDirectory(prefix="predict-", dir=environment.base_path) as folder:
        work_path = Path(folder)
        worker = PartWorker(channel=channel, parts=parts, answering=answering, store=store, environment=environment)
        worker.run(reporter, work_path=work_path)
        if not environment.worker.is_main:
            return {}
        found = store.find_delivered()
        if found is None:
            reporter.progress("deliver")
            found = _deliver(ports, workspace_id, spec, worker, work_path=work_path)
            store.finish(found)
    environment.output_path.mkdir(parents=True, exist_ok=True)
    (environment.output_path / DOCUMENT).write_text(found.model_dump_json(indent=1))
    return {"num_rows": float(found.num_rows), "num_errors": float(found.num_errors)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartWorker:
    """One of the containers that answer."""

    channel: StoredChannel
    parts: Sequence[Part]
    answering: Answering
    store: PartStore
    environment: Environment

    def run(self, reporter: Reporter, *, work_path: Path) -> None:
        """Until every part is answered, by whomever: what is there already is not answered again. Those that were
        answered here stay on the disk."""
        place = self.environment.worker
        turn = in_turn(self.parts, index=place.index, num_workers=place.count)
        for step, part in enumerate(turn):
            reporter.progress("predict", step=step, num_steps=len(turn))
            if self.store.has(part):
                continue
            if self.store.find_delivered() is not None:
                return
            path = work_path / part.name
            write_part(self.channel, part, self.answering, path, num_threads=self.environment.num_cpus)
            if self.store.find_delivered() is not None:
                return
            self.store.put(part, path)
            _log.info("part %d of %d: %d rows", part.number + 1, len(self.parts), part.num_rows)


def write_part(channel: StoredChannel, part: Part, answering: Answering, path: Path, *, num_threads: int) -> None:
    """The answers to a part, in the order of its rows."""
    names = {str(spec.column) for spec in answering.signature.inputs} | set(answering.keys)
    columns = [column for column in channel.schema.columns if column.name in names]
    batches = read(channel, part, columns, batch_rows=_batch_rows(channel, answering.signature))
    asked: Iterator[_Asked] = ((batch, 0) for batch in batches)
    if (window := window_of(channel.schema, answering.signature)) is not None:
        asked = _with_history(batches, read_before(channel, part, columns, num_rows=window - 1), num_rows=window - 1)
    begun = path.with_suffix(".begun")
    own_files.write(begun, _answers(asked, answering, num_threads=num_threads))
    begun.rename(path)


def _with_history(batches: Iterator[Channel], before: pa.Table, *, num_rows: int) -> Iterator[_Asked]:
    """Each with so many rows before it, as far as there are any."""
    for batch in batches:
        table = pa.concat_tables([before, batch.table])
        rows = pa.concat_arrays([pa.nulls(before.num_rows, pa.int64()), batch.rows])
        yield replace(batch, table=table, rows=rows), before.num_rows
        before = table.slice(max(table.num_rows - num_rows, 0))


def _answers(asked: Iterator[_Asked], answering: Answering, *, num_threads: int) -> Iterator[pa.Table]:
    """In order, a few ahead of what is written."""
    pending: deque[Future[pa.Table]] = deque()
    with ThreadPoolExecutor(num_threads) as pool:
        for batch, num_before in asked:
            pending.append(pool.submit(answering.answer, batch, num_before=num_before))
            if len(pending) > num_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _batch_rows(channel: StoredChannel, signature: Signature) -> int:
    """A row in memory: its cells, and its tensors, of which those of series are as long as the cells."""
    tensors = sum(max(_CELL_BYTES, _num_values(spec.shape[1:])) for spec in signature.inputs)
    return min(max(_BATCH_BYTES // (channel.row_bytes + tensors), 1), _MAX_BATCH_ROWS)


def _num_values(shape: Sequence[int]) -> int:
    product = 1
    for size in shape:
        product *= abs(size)
    return product


def _deliver(
    ports: Ports, workspace_id: str, spec: PredictSpec, worker: PartWorker, *, work_path: Path
) -> BatchPrediction:
    """By a key that is the job's: an attempt that comes after a delivery finds the version that there is."""
    environment, parts, store = worker.environment, worker.parts, worker.store
    principal = platform.principal("predict", workspace_id)
    dataset = datasets.ensure(ports, principal, str(spec.output))
    key = f"{environment.job}/answers"
    files = [_on_disk(store, part, work_path / part.name) for part in parts]
    num_rows, columns, errors, num_errors = _count(files)
    if num_errors == num_rows:
        raise InvalidDataError(
            f"None of the {num_rows:,} rows could be answered. Row {errors[0].row}: {errors[0].error}. Correct the "
            "data, or give such as the model was trained with."
        )
    version = delivery.deliver(
        ports,
        principal,
        dataset,
        [LocalFile(path=path, display_name=path.name, is_own=True) for path in files],
        mode=spec.mode,
        key=key,
        job_id=environment.job or None,
    )
    if version.status is not DatasetVersionStatus.READY:
        raise InvalidDataError(
            f"Version {version.number} of {version.dataset_name!r} is {version.status}: {version.status_reason}"
        )
    return BatchPrediction(
        model=spec.model,
        dataset=spec.dataset,
        output=f"{version.dataset_name}@{version.number}",
        columns=columns,
        num_rows=num_rows,
        num_errors=num_errors,
        num_parts=len(parts),
        errors=errors,
    )


def _on_disk(store: PartStore, part: Part, path: Path) -> Path:
    if not path.is_file():
        store.fetch(part, path)
    return path


def _count(files: Sequence[Path]) -> tuple[int, list[str], list[RowError], int]:
    """Rows, columns, the first rows without an answer, and how many of these there are."""
    num_rows = num_errors = 0
    errors: list[RowError] = []
    columns: list[str] = []
    for batch in itertools.chain.from_iterable(map(own_files.read, files)):
        columns = batch.schema.names
        num_rows += batch.num_rows
        if batch.column(ERROR).null_count == batch.num_rows:
            continue
        failed = batch.select([ROW, ERROR]).filter(pc.is_valid(batch.column(ERROR)))
        num_errors += failed.num_rows
        first = failed.slice(0, _MAX_ERRORS - len(errors)).to_pylist()
        errors += [RowError.model_validate(row) for row in first]
    return num_rows, columns, errors, num_errors
