"""Every minute: heals what an event missed."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.lambda_support.logging import build_logger
from aimass_core.ports import Ports
from aimass_core.services import reconciler
from aimass_core.settings import ReconcilerSettings

logger = build_logger("reconciler")

Handler = Callable[[dict[str, object], LambdaContext], dict[str, int]]


def make_handler(ports: Callable[[], Ports]) -> Handler:
    """The Lambda handler; it answers what it healed."""

    def handle(_event: dict[str, object], _context: LambdaContext) -> dict[str, int]:
        healed = asdict(reconciler.run(ports()))
        logger.info("reconciled", **healed)
        return healed

    return handle


@cache
def _deployed() -> Ports:
    return bootstrap.build_ports(ReconcilerSettings())


handler = make_handler(_deployed)
