"""The registry's stream -> compute jobs, endpoint activation, rollouts, triggers and the catalogue of tables.

Containers of endpoints that have come up, or have not, are told by EventBridge.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.hosts import to_host_owner
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.errors import AimassError, NotFoundError
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.ports import Ports
from aimass_core.services import dispatch, endpoint_counters, endpoints, rollouts, tables, triggers
from aimass_core.settings import DispatchSettings

logger = build_logger("dispatch")

Handler = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse | None]


def make_handler(ports: Callable[[], Ports]) -> Handler:
    """The Lambda handler over ports, which are asked for with the first record."""
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)

    def handle_record(record: DynamoDBRecord) -> None:
        image = record.dynamodb.new_image if record.dynamodb else None
        if image:
            _handle(ports(), image)

    def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse | None:
        if event.get("source") == "aws.sagemaker":
            _handle_host(ports(), str(event["detail"]["EndpointName"]))
            return None
        return process_partial_response(event, handle_record, processor, context)

    return handle


def _handle_host(ports: Ports, name: str) -> None:
    owner = to_host_owner(name)
    if owner is None:
        logger.info("nothing of a host of ours", host=name)
        return
    with about(logger, workspace_id=owner.workspace_id, endpoint_id=owner.endpoint_id):
        logger.info("host", host=name)
        try:
            endpoints.activate(ports, owner.workspace_id, owner.endpoint_id)
        except NotFoundError:
            logger.info("the endpoint of a host is gone")


def _handle(ports: Ports, image: Mapping[str, Any]) -> None:
    resource, data = image.get("resource"), image["data"]
    with about(logger, workspace_id=data.get("workspace_id"), **_log_id(resource, data)):
        logger.info("record", resource=resource, id=data.get("id"), status=image.get("status"))
        _act(ports, resource, image)


def _log_id(resource: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """By which the lines about a job or an endpoint are found."""
    if resource in (Job.resource, Endpoint.resource):
        return {f"{resource}_id": data.get("id")}
    return {"endpoint_id": data["endpoint_id"]} if "endpoint_id" in data else {}


def _act(ports: Ports, resource: Any, image: Mapping[str, Any]) -> None:
    data = image["data"]
    if resource == Job.resource and JobStatus(str(image["status"])).is_terminal:
        triggers.settle(ports, data["workspace_id"], data["id"])
    elif resource == Job.resource:
        dispatch.dispatch(ports, data["workspace_id"], data["id"])
    elif resource == DatasetVersion.resource:
        triggers.fire_for_version(ports, data["workspace_id"], data["dataset_id"])
    elif resource == Endpoint.resource:
        endpoints.activate(ports, data["workspace_id"], data["id"])
    elif resource == endpoint_counters.ROLLOUT_RESOURCE:
        _follow_rollout(ports, data)
    elif resource == tables.RESOURCE:
        _list_table(ports, data)


def _follow_rollout(ports: Ports, data: Mapping[str, Any]) -> None:
    try:
        rollouts.follow(ports, data["workspace_id"], data["endpoint_id"])
    except AimassError:
        # NOTE: the next counts are an event too, and the reconciler comes back to it.
        logger.exception("a rollout is not judged yet", id=data["endpoint_id"])


def _list_table(ports: Ports, data: Mapping[str, Any]) -> None:
    try:
        tables.list_version(ports, data["workspace_id"], data["dataset_id"], int(data["number"]))
    except AimassError:
        # NOTE: a catalogue that is away must not hold up the jobs behind it; the reconciler comes back to it.
        logger.exception("a version is not in the catalogue yet", id=data["id"])


@cache
def _deployed() -> Ports:
    return bootstrap.build_ports(DispatchSettings())


handler = make_handler(_deployed)
