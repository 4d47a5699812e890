"""Messages of the ingest queue -> dataset versions: objects that landed, and windows that close."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field, TypeAdapter

from aimass_core import bootstrap
from aimass_core.domain.common import Id, Request
from aimass_core.lambda_support.logging import build_logger
from aimass_core.ports import Ports
from aimass_core.services.ingest import closing, landing
from aimass_core.services.quality import checking
from aimass_core.settings import IngestSettings

logger = build_logger("ingest")

Handler = Callable[[dict[str, object], LambdaContext], PartialItemFailureResponse]


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
    """The Lambda handler. A message that fails is delivered again, alone, and at last kept in the dead-letter queue."""
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def handle_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
        message: Mapping[str, Any] = record.json_body
        if "type" in message:
            told = _MESSAGE.validate_python(message)
            if isinstance(told, CheckVersion):
                _check(deployment().ports, told)
            else:
                _close(deployment(), told, lambda_context)
        for event in message.get("Records", []):
            _land(deployment().ports, event)

    def handle(event: dict[str, object], context: LambdaContext) -> PartialItemFailureResponse:
        return process_partial_response(event, handle_record, processor, context)

    return handle


def _land(ports: Ports, event: Mapping[str, Any]) -> None:
    key = unquote_plus(event["s3"]["object"]["key"])
    version = landing.land(ports, key)
    logger.info("landed", key=key, version_id=None if version is None else version.id)


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
        workspace_id=message.workspace_id,
        dataset_id=message.dataset_id,
        number=message.number,
        status=None if version is None else str(version.status),
        reason=None if version is None else version.status_reason,
    )


def _check(ports: Ports, message: CheckVersion) -> None:
    report = checking.check_again(ports, message.workspace_id, message.dataset_id, message.number)
    logger.info(
        "checked",
        workspace_id=message.workspace_id,
        dataset_id=message.dataset_id,
        number=message.number,
        outcome=None if report is None else str(report.outcome),
    )


@cache
def _deployed() -> Deployment:
    settings = IngestSettings()
    return Deployment(ports=bootstrap.build_ports(settings), max_lambda_bytes=settings.max_lambda_bytes)


handler = make_handler(_deployed)
