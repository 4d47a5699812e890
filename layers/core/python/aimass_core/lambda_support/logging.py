"""Structured logs: one JSON object a line, so that nothing a caller sends can forge a line, and no secret in it."""

import json
import logging
import os
import sys
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from aimass_core.domain.redaction import redact


class RedactingFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON with the secrets taken out of the finished line, whichever field they came in."""

    def __init__(self) -> None:
        # ASCII only: the C1 control characters and Unicode's line separators are escaped too.
        super().__init__(json_serializer=partial(json.dumps, default=str, separators=(",", ":")))

    def serialize(self, log: Any) -> str:
        """See LambdaPowertoolsFormatter."""
        return redact(super().serialize(log))


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stdout` is when a line is written, not when the logger was made."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The present one."""
        return sys.stdout


def build_logger(service: str) -> Logger:
    """The function's logger; what the core logs with the standard library goes the same way."""
    # NOTE: without a level Powertools would also take one from LOG_LEVEL, which belongs to whoever runs the worker.
    level = os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO")
    logger = Logger(
        service=service, level=level, logger_formatter=RedactingFormatter(), logger_handler=_StdoutHandler()
    )
    core = logging.getLogger("aimass_core")
    # NOTE: not `registered_handler`: for a second logger of a service that one is new and formats nothing.
    core.handlers = list(logger.handlers)
    core.setLevel(logging.INFO)
    core.propagate = False
    return logger


def about(logger: Logger, **keys: Any) -> AbstractContextManager[None]:
    """Within it every line says these too, by which `GET /v1/logs` finds it, and knows whose it is."""
    # NOTE: not `logger.append_context_keys`, which fails for a second logger of a service.
    (handler,) = logger.handlers
    formatter = handler.formatter
    assert isinstance(formatter, RedactingFormatter)  # noqa: S101 - as `build_logger` made it
    return formatter.append_context_keys(**keys)
