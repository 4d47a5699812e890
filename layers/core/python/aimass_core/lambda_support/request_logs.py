"""The line that each request leaves, as the settings of its workspace want it."""

import logging
from http import HTTPStatus
from typing import Any

from aimass_core.domain.settings.logging import LoggingSettings, RequestLogLevel
from aimass_core.errors import AimassError
from aimass_core.lambda_support import http
from aimass_core.lambda_support.http import HttpAnswer, HttpEvent, Log
from aimass_core.ports import LiveSettings

_log = logging.getLogger(__name__)


def level_of(settings: LiveSettings, workspace_id: str | None) -> RequestLogLevel:
    """What is wanted now. Without a workspace, and where it cannot be read: a line."""
    if workspace_id is None:
        return RequestLogLevel.INFO
    try:
        return settings.get(LoggingSettings, workspace_id).level
    except AimassError as error:
        _log.warning("the level of logging cannot be read", extra={"reason": error.message})
        return RequestLogLevel.INFO


def is_wanted(level: RequestLogLevel, status: int) -> bool:
    """Whether a request leaves a line: what fails always does."""
    return level is not RequestLogLevel.WARNING or status >= HTTPStatus.BAD_REQUEST


def write(
    event: HttpEvent, answer: HttpAnswer, *, level: RequestLogLevel, log: Log, started: float, **details: Any
) -> None:
    """Writes the line, if it is wanted. `started` is of time.perf_counter."""
    if not is_wanted(level, int(answer["statusCode"])):
        return
    more = _tell(event, answer) if level is RequestLogLevel.DEBUG else {}
    http.log_request(event, answer, log=log, started=started, **more, **details)


def _tell(event: HttpEvent, answer: HttpAnswer) -> dict[str, Any]:
    """What is asked and answered, by sizes and not by content: bodies are the users' data."""
    agents = http.header_values(event, "user-agent")
    types = http.header_values(event, "content-type")
    return {
        "level_of_workspace": str(RequestLogLevel.DEBUG),
        "query": event.get("multiValueQueryStringParameters") or {},
        "source_ip": ((event.get("requestContext") or {}).get("identity") or {}).get("sourceIp"),
        "user_agent": agents[0][:200] if agents else None,
        "content_type": types[0][:100] if types else None,
        "num_body_characters": len(event.get("body") or ""),
        "num_answer_characters": len(answer.get("body") or ""),
    }
