"""Job runs: what was asked for, where they are, how EMR Serverless tells of them, and their processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aimass_local.containers import Container, Image, LogPump, PutLogEvents, StartError, Watchdog, make_folders
from aimass_local.documents import Document
from aimass_local.emr_serverless.buckets import Buckets
from aimass_local.emr_serverless.errors import ValidationError
from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.objects import StoppedError, TransferError

LOG_GROUP = "/aws/emr-serverless"

_SYNC_SECONDS = 0.5
_ENVIRONMENT = "spark.emr-serverless.driverEnv."
# On AWS they name an interpreter of the application's image, which is this one here.
_INTERPRETERS = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
_MAX_DETAILS = 256


class State(StrEnum):
    """Of a run."""

    SUBMITTED = "SUBMITTED"
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        return self in (State.SUCCESS, State.FAILED, State.CANCELLED)


@dataclass(slots=True, kw_only=True)
class JobRun:
    """`request` is what StartJobRun was given; every `_at` is in seconds since 1970."""

    request: Document
    run_id: str
    release: str
    created_at: float
    changed_at: float
    state: State = State.SUBMITTED
    details: str = "Job submitted"

    @classmethod
    def from_document(cls, document: Document) -> JobRun:
        return cls(**{**document, "state": State(document["state"])})

    def to_document(self) -> Document:
        return asdict(self)

    @property
    def arn(self) -> str:
        place = f"/applications/{self.request['applicationId']}/jobruns/{self.run_id}"
        return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT_ID}:{place}"

    def to_description(self) -> Document:
        """The answer of GetJobRun."""
        shown = ("applicationId", "name", "executionIamPolicy", "jobDriver", "tags", "executionTimeoutMinutes")
        return {
            **{name: self.request[name] for name in shown if name in self.request},
            "jobRunId": self.run_id,
            "arn": self.arn,
            "createdBy": f"arn:aws:iam::{ACCOUNT_ID}:root",
            "createdAt": self.created_at,
            "updatedAt": self.changed_at,
            "executionRole": self.request["executionRoleArn"],
            "state": self.state.value,
            "stateDetails": self.details[:_MAX_DETAILS],
            "releaseLabel": self.release,
        }

    def to_summary(self) -> Document:
        """One line of ListJobRuns."""
        shown = ("applicationId", "name", "arn", "createdBy", "createdAt", "updatedAt", "executionRole", "state")
        described = self.to_description()
        known = {name: described[name] for name in (*shown, "stateDetails", "releaseLabel") if name in described}
        return {**known, "id": self.run_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What runs have."""

    image: Image
    environment: Mapping[str, str]
    run_folder: Path
    s3: Any
    put_log_events: PutLogEvents
    clock: Callable[[], float]
    stop_grace_seconds: float
    max_log_bytes: int
    watchdog: Watchdog


def find_spark() -> Path:
    """The folder of PySpark, which has Spark in it. Raises ValidationError where there is none."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise ValidationError(
            "This machine has no Spark: install it beside the local cloud by `pip install 'aimass[batch-spark]'`; it "
            "needs Java 17 too"
        )
    return Path(found.origin).parent


class Execution:
    """Executes a run once.

    Args:
        on_state: called as it goes on.
    """

    def __init__(self, run: JobRun, machine: Machine, *, on_state: Callable[[State, str], None]) -> None:
        self._run, self._machine, self._on_state = run, machine, on_state
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ends the run as soon as may be; `execute` returns after that."""
        self._stop.set()

    async def execute(self) -> tuple[State, str]:
        """The final state, and why. Nothing but the log and what it wrote to S3 is left then."""
        folders = make_folders(self._machine.run_folder)
        policy = self._run.request["executionIamPolicy"]["policy"]
        buckets = Buckets(self._machine.s3, policy, folders.root / "s3")
        container: Container | None = None
        try:
            self._on_state(State.SCHEDULED, "Job scheduled")
            await asyncio.to_thread(buckets.download, is_stopped=self._stop.is_set)
            container = await self._start(buckets, folders)
            self._on_state(State.RUNNING, "Job running")
            cut = await self._wait(container, buckets)
            await container.stop(grace_seconds=self._machine.stop_grace_seconds)
            await asyncio.to_thread(buckets.upload, is_last=True)
            return cut or _to_ending(await container.wait())
        except StoppedError:
            return State.CANCELLED, "Job cancelled"
        except (TransferError, StartError) as error:
            return State.FAILED, f"Job failed: {error}"
        finally:
            if container is not None:
                await container.clean_up()
            await asyncio.to_thread(folders.remove)

    async def _start(self, buckets: Buckets, folders: Any) -> Container:
        driver = self._run.request["jobDriver"]["sparkSubmit"]
        asked, others = _split_parameters(driver.get("sparkSubmitParameters", ""))
        environment = {
            name.removeprefix(_ENVIRONMENT): value for name, value in asked.items() if name.startswith(_ENVIRONMENT)
        }
        spark = find_spark()
        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": str(folders.temporary),
            "spark.sql.warehouse.dir": str(folders.work / "warehouse"),
            "spark.sql.shuffle.partitions": "4",
            **asked,
            **buckets.settings,
        }
        given = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        bucket, _, key = driver["entryPoint"].removeprefix("s3://").partition("/")
        program = folders.root / "s3" / bucket / key
        if not program.is_file():
            raise TransferError(f"there is no {driver['entryPoint']} that the run's policy lets it read")
        application, run_id = self._run.request["applicationId"], self._run.run_id
        pump = LogPump(
            self._machine.put_log_events,
            group=LOG_GROUP,
            stream=f"/applications/{application}/jobs/{run_id}/SPARK_DRIVER/stderr",
            max_bytes=self._machine.max_log_bytes,
            now_ms=lambda: int(self._machine.clock() * 1000),
        )
        submit = [str(spark / "bin" / "spark-submit"), "--master", "local[*]", *given, *others]
        return await Container.start(
            [*submit, str(program), *driver.get("entryPointArguments", [])],
            image=self._machine.image,
            environment={
                **self._machine.environment,
                **environment,
                **dict.fromkeys(_INTERPRETERS, str(self._machine.image.python)),
                "SPARK_HOME": str(spark),
            },
            folders=folders,
            pump=pump,
            memory_mib=0,
            ulimits={},
            watchdog=self._machine.watchdog,
        )

    async def _wait(self, container: Container, buckets: Buckets) -> tuple[State, str] | None:
        """Returns when the driver has ended; else why it is no longer waited for."""
        minutes = self._run.request.get("executionTimeoutMinutes", 0)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + minutes * 60 if minutes else float("inf")
        ending = asyncio.create_task(container.wait())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while True:
                await asyncio.wait({ending, stopping}, timeout=_SYNC_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if ending.done():
                    return None
                if stopping.done():
                    return State.CANCELLED, "Job cancelled"
                if loop.time() >= deadline:
                    return State.CANCELLED, f"Job execution timeout of {minutes} minutes exceeded"
                await asyncio.to_thread(buckets.upload)
        finally:
            stopping.cancel()
            ending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ending


def _to_ending(code: int) -> tuple[State, str]:
    if code == os.EX_OK:
        return State.SUCCESS, "Job succeeded"
    words = "Job failed, please check complete logs in configured logging destination"
    return State.FAILED, f"{words}. ExitCode: {code}"


def _split_parameters(parameters: str) -> tuple[dict[str, str], list[str]]:
    """Settings (`--conf name=value`), and all else that spark-submit is told."""
    settings, others = {}, []
    words = iter(shlex.split(parameters))
    for word in words:
        if word == "--conf":
            name, _, value = next(words, "").partition("=")
            settings[name] = value
        else:
            others.append(word)
    return settings, others
