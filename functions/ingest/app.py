"""Messages of the ingest queue -> dataset versions: objects that landed, and windows that close."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field, TypeAdapter

from aimass_core import bootstrap
from aimass_core.domain import keys
from aimass_core.domain.common import Id, Request
from aimass_core.errors import AimassError
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.ports import Ports
from aimass_core.services.ingest import closing, landing
from aimass_core.services.quality import checking
from aimass_core.settings import IngestSettings

logger = build_logger("ingest")

Handler = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]


class CloseVersion(Request):
    """A message of our own: the window of this version should be over."""

    type: Literal["close_version"]
    workspace_id: Id
    dataset_id: Id
    number: int = Field(ge=1)


class CheckVersion(Request):
    """A message of our own: somebody asked that this version be checked again."""

    type: Literal["check_version"]
    workspace_id: Id
    dataset_id: Id
    number: int = Field(ge=1)


_MESSAGE: TypeAdapter[CloseVersion | CheckVersion] = TypeAdapter(
    Annotated[CloseVersion | CheckVersion, Field(discriminator="type")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the handler works on."""

    ports: Ports
    max_lambda_bytes: int


def make_handler(deployment: Callable[[], Deployment]) -> Handler:
    """The Lambda handler. A message that fails is delivered again, alone, and at last kept in the dead-letter queue.

    Dropped files are taken in together. One version of a batch is converted here, which may take minutes; the others
    go back to the queue, where somebody else finds them.
    """

    def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        landed = _land_together(deployment, event)
        records = sorted(event["Records"], key=lambda record: '"type"' in record["body"])
        last_id = records[-1]["messageId"]

        def handle_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
            message: Mapping[str, Any] = record.json_body
            if "type" in message:
                told = _MESSAGE.validate_python(message)
                with about(logger, **told.model_dump(exclude={"type"})):
                    if isinstance(told, CheckVersion):
                        _check(deployment().ports, told)
                    elif record.message_id == last_id:
                        _close(deployment(), told, lambda_context)
                    else:
                        deployment().ports.ingest_queue.send(message)
            for found in message.get("Records", []):
                if _key_of(found) not in landed:
                    _land(deployment().ports, found)

        return process_partial_response({"Records": records}, handle_record, processor, context)

    return handle


def _land_together(deployment: Callable[[], Deployment], event: Mapping[str, Any]) -> set[str]:
    """Takes in the dropped files of a batch, and returns their keys. Where that fails, each is tried alone."""
    bodies = [record["body"] for record in event["Records"]] if len(event["Records"]) > 1 else []
    try:
        messages = [json.loads(body) for body in bodies if '"s3"' in body]
        told = [found for message in messages for found in message.get("Records", [])]
        objects = [_to_object(found) for found in told if _key_of(found).startswith(keys.DROP_PREFIX)]
        landing.land_all(deployment().ports, objects)
    except (AimassError, KeyError, TypeError, ValueError):
        logger.exception("a batch could not be taken in together")
        return set()
    logger.info("landed together", num_files=len(objects))
    return {found.key for found in objects}


def _to_object(found: Mapping[str, Any]) -> landing.NewObject:
    described = found["s3"]["object"]
    return landing.NewObject(
        key=_key_of(found),
        etag=described["eTag"].strip('"'),
        num_bytes=int(described["size"]),
        at=datetime.fromisoformat(found["eventTime"]),
    )


def _key_of(found: Mapping[str, Any]) -> str:
    return unquote_plus(found["s3"]["object"]["key"])


def _land(ports: Ports, found: Mapping[str, Any]) -> None:
    key = _key_of(found)
    version = landing.land(ports, key)
    if version is None:
        logger.info("landed", key=key)
    else:
        logger.info("landed", key=key, workspace_id=version.workspace_id, version_id=version.id)


def _close(deployed: Deployment, message: CloseVersion, context: LambdaContext) -> None:
    version = closing.close(
        deployed.ports,
        message.workspace_id,
        message.dataset_id,
        message.number,
        max_bytes=deployed.max_lambda_bytes,
        lease_seconds=context.get_remaining_time_in_millis() / 1000,
    )
    logger.info(
        "closed",
        status=None if version is None else str(version.status),
        reason=None if version is None else version.status_reason,
    )


def _check(ports: Ports, message: CheckVersion) -> None:
    report = checking.check_again(ports, message.workspace_id, message.dataset_id, message.number)
    logger.info("checked", outcome=None if report is None else str(report.outcome))


@cache
def _deployed() -> Deployment:
    settings = IngestSettings()
    return Deployment(ports=bootstrap.build_ports(settings), max_lambda_bytes=settings.max_lambda_bytes)


handler = make_handler(_deployed)
