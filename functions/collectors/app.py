"""A Chalice app: its route takes the records that others send, its schedule begins the runs that are due.

Every decorated function is an ordinary Lambda handler, which infra/cdk wires: `handler` and `tick`, each with a role of
its own. A collector of one's own goes beside them: a function with `@app.schedule` or `@app.route`, and its component.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from http import HTTPStatus
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate, Request, Response

from aimass_core import bootstrap
from aimass_core.domain.common import is_id
from aimass_core.domain.settings.logging import RequestLogLevel
from aimass_core.errors import PayloadTooLargeError
from aimass_core.lambda_support import http, request_logs
from aimass_core.lambda_support.http import HttpAnswer
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.ports import Ports
from aimass_core.services import source_runs, webhooks
from aimass_core.settings import CollectorsSettings, CollectorsTickSettings
from functions.collectors import bodies

MAX_BODY_BYTES = 1024**2

logger = build_logger("collectors")


def build_app(ports: Callable[[], Ports], ticking: Callable[[], Ports]) -> Chalice:
    """The app over deployments, each asked for with its first event."""
    built = Chalice(app_name="aimass-collectors", configure_logs=False)

    @built.route("/v1/webhooks/{workspace}/{source}", methods=["POST"], content_types=["*/*"])  # type: ignore[untyped-decorator]
    def receive(workspace: str, source: str) -> Response:
        """202 once the records are durable."""
        request = built.current_request
        assert request is not None  # noqa: S101 - a route is only called with one
        started, event = time.perf_counter(), request.to_original_event()
        keys = {"source_id": source, "workspace_id": workspace, "request_id": http.request_id_of(event)}
        with about(logger, **keys):
            answered = http.boundary(event, lambda: _take(ports(), request, workspace, source))
            status = answered["statusCode"]
            # NOTE: only of who has proved to belong to the workspace that the address names.
            is_known = status == HTTPStatus.ACCEPTED
            level = request_logs.level_of(ports().live_settings, workspace if is_known else None)
            if request_logs.is_wanted(level, status):
                more: dict[str, Any] = {}
                if level is RequestLogLevel.DEBUG:
                    more = {"num_body_bytes": len(request.raw_body), "level_of_workspace": str(level)}
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                logger.info("webhook", status=status, milliseconds=milliseconds, **more)
        headers = {name: values[0] for name, values in answered["multiValueHeaders"].items()}
        return Response(body=answered["body"], status_code=answered["statusCode"], headers=headers)

    @built.schedule(Rate(1, unit=Rate.MINUTES), name="tick")  # type: ignore[untyped-decorator]
    def tick(event: CloudWatchEvent) -> dict[str, int]:
        """Begins what is due; a lost tick does no harm, and two of them begin nothing twice."""
        ticked = asdict(source_runs.tick(ticking()))
        logger.info("tick", scheduled_at=event.time, **ticked)
        return ticked

    return built


def _take(ports: Ports, request: Request, workspace_id: str, source_id: str) -> HttpAnswer:
    raw = request.raw_body
    body = raw if isinstance(raw, bytes) else raw.encode()
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken at a time.")
    if not (is_id(workspace_id) and is_id(source_id)):
        raise webhooks.refusal()
    headers = {str(name).lower(): str(value) for name, value in request.headers.items()}
    record = webhooks.authenticate(ports, workspace_id, source_id, headers=headers, body=body)
    rows = bodies.parse(body, media_type=headers.get("content-type", ""), encoding=headers.get("content-encoding", ""))
    webhooks.land(ports, record, headers["webhook-id"], rows)
    return http.json_answer({"accepted": len(rows)}, status=HTTPStatus.ACCEPTED)


@cache
def _ports() -> Ports:
    return bootstrap.build_ports(CollectorsSettings())


@cache
def _ticking() -> Ports:
    return bootstrap.build_ports(CollectorsTickSettings())


app = handler = build_app(_ports, _ticking)
tick: Callable[[dict[str, Any], Any], Any] = app.handler_map["tick"]
