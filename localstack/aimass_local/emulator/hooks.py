"""What our own services need of the emulator: events, logs, resource types and tasks of state machines."""

from __future__ import annotations

import contextvars
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from ministack.core import responses
from ministack.services import cloudwatch_logs, eventbridge, stepfunctions
from ministack.services.cloudformation import provisioners

from aimass_local.batch.errors import TaskFailedError
from aimass_local.environment import ACCOUNT_ID, REGION

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)
_events = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aws-events")


def emit_event(event: Mapping[str, Any]) -> None:
    """Sends one event of an AWS service to EventBridge, in order and off the caller's thread.

    Args:
        event: as a rule's target receives it: `source`, `detail-type`, `detail`, `resources`, and optionally
            `id`, `time` (ISO 8601), `account`, `region`.
    """
    record = {
        "EventId": event.get("id") or str(uuid.uuid4()),
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": list(event.get("resources", ())),
        "EventBusName": "default",
        "Time": event.get("time") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Account": event.get("account", ACCOUNT_ID),
        "Region": event.get("region", REGION),
    }
    _events.submit(_in_account, eventbridge._dispatch_event, record).add_done_callback(_log_failure)


def put_log_events(group: str, stream: str, events: Sequence[Mapping[str, Any]]) -> None:
    """Appends `{"timestamp": milliseconds, "message": text}` rows to CloudWatch Logs; makes group and stream."""
    _in_account(_put_log_events, group, stream, [dict(event) for event in events])


def register_cloudformation(resource_type: str, handlers: Mapping[str, Any]) -> None:
    """Teaches CloudFormation a resource type.

    Args:
        resource_type: such as `AWS::Batch::JobQueue`.
        handlers: `create(logical_id, properties, stack) -> (physical_id, attributes)`,
            `update(physical_id, old, new, stack, logical_id) -> (physical_id, attributes)` with
            `"update_with_logical_id": True`, and `delete(physical_id, properties)`.
    """
    provisioners._RESOURCE_HANDLERS[resource_type] = dict(handlers)


def register_step_functions(resource: str, handler: Callable[[str, dict[str, Any]], Any]) -> None:
    """Makes `resource` (`arn:aws:states:::batch:submitJob`, also with `.sync`) a task of state machines."""

    def run_task(called: str, request: dict[str, Any]) -> Any:
        try:
            return handler(called, request)
        except TaskFailedError as error:
            raise stepfunctions._ExecutionError(error.error, error.cause) from error

    stepfunctions._SERVICE_DISPATCH[resource] = run_task


def _put_log_events(group: str, stream: str, events: list[dict[str, Any]]) -> None:
    if group not in cloudwatch_logs._log_groups:
        cloudwatch_logs._create_log_group({"logGroupName": group})
    if stream not in cloudwatch_logs._log_groups[group]["streams"]:
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


def _in_account(function: Callable[..., Result], *arguments: Any) -> Result:
    """Runs `function` in the local account and region without changing the caller's context."""

    def scoped() -> Result:
        responses.set_request_account_id(ACCOUNT_ID)
        responses.set_request_region(REGION)
        return function(*arguments)

    return contextvars.copy_context().run(scoped)


def _log_failure(delivery: Future[None]) -> None:
    error = delivery.exception()
    if error:
        _logger.error("an event was not delivered: %s", error, exc_info=error)
