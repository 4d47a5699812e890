"""The driver: `main.py <address of the run's folder>`, started by spark-submit."""

import sys

from pyspark.sql import SparkSession

from aimass_core.domain.common import Contract
from aimass_core.domain.recipes import DATA_CHANNEL
from aimass_core.errors import AimassError, InternalError
from aimass_core.services.recipes.engine import EngineError, Source
from aimass_core.services.recipes.running import run
from batch_jobs.spark import files
from batch_jobs.spark.contract import (
    FAILURE,
    PROGRESS,
    QUARANTINE,
    REQUEST,
    RESULT,
    TABLES,
    SparkFailure,
    SparkProgress,
    SparkRequest,
    SparkResult,
    part_folder,
)
from batch_jobs.spark.engine import SparkEngine


def main() -> None:
    """The command. Exits with 1 where the recipe fails, which the failure beside it explains."""
    folder = sys.argv[1].rstrip("/")
    session = SparkSession.builder.appName("aimass-prepare").getOrCreate()
    try:
        _write(session, f"{folder}/{RESULT}", cook(session, folder))
    except EngineError as error:
        _fail(session, folder, InternalError(str(error)))
    except AimassError as error:
        _fail(session, folder, error)
    finally:
        session.stop()


def cook(session: SparkSession, folder: str) -> SparkResult:
    """Carries the request of the folder out, and leaves there what comes of it."""
    request = SparkRequest.model_validate_json(files.read_text(session, f"{folder}/{REQUEST}"))
    sources = {
        name: Source(label=given.label, schema=given.data_schema, files=given.files)
        for name, given in request.sources.items()
    }

    def on_step(number: int, do: str) -> None:
        _write(session, f"{folder}/{PROGRESS}", SparkProgress(number=number, do=do))

    engine = SparkEngine(session, f"{folder}/{TABLES}")
    prepared = run(request.recipe, engine, sources, on_step=on_step)
    lines = (row.model_dump_json() + "\n" for row in prepared.quarantined(sources[DATA_CHANNEL].label))
    files.write_text(session, f"{folder}/{QUARANTINE}", lines)
    parts = prepared.parts or [""]
    for index, name in enumerate(parts):
        prepared.export(f"{folder}/{part_folder(index)}", name)
    num_rows = [prepared.count(name) for name in parts]
    files.delete(session, f"{folder}/{TABLES}")
    return SparkResult(num_rows_in=prepared.num_rows_in, steps=list(prepared.reports), num_rows=num_rows)


def _fail(session: SparkSession, folder: str, error: AimassError) -> None:
    _write(session, f"{folder}/{FAILURE}", SparkFailure(code=error.code, cause=error.message))
    sys.stderr.write(f"{error.message}\n")
    sys.exit(1)


def _write(session: SparkSession, address: str, document: Contract) -> None:
    files.write_text(session, address, [document.model_dump_json()])
