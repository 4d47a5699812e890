"""State changes of Batch and SageMaker -> job rows, model versions and the jobs that wait."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.domain import compute_states
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.ports import Ports
from aimass_core.services import job_events
from aimass_core.settings import JobEventsSettings

logger = build_logger("job_events")

Handler = Callable[[Mapping[str, Any], LambdaContext], None]


def make_handler(ports: Callable[[], Ports]) -> Handler:
    """The Lambda handler. What it raises is delivered again, then kept in the dead-letter queue."""

    def handle(event: Mapping[str, Any], _context: LambdaContext) -> None:
        told = compute_states.from_event(event)
        if told is None:
            logger.info("nothing of a job of ours", resources=event.get("resources"))
            return
        address, state = told
        with about(logger, workspace_id=address.workspace_id, job_id=address.job_id):
            job = job_events.apply(ports(), address.workspace_id, address.job_id, state)
            status = None if job is None else str(job.status)
            logger.info("state", told=str(state.status), attempt=state.attempt, status=status)

    return handle


@cache
def _deployed() -> Ports:
    return bootstrap.build_ports(JobEventsSettings())


handler = make_handler(_deployed)
