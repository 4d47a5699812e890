"""Lambda's metrics in CloudWatch: of every invocation, whoever caused it, and in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from aimass_local.emulator.contract import require

_NAMESPACE = "AWS/Lambda"
_MINUTE_SECONDS = 60
# A day of minutes; percentiles are of the latest invocations.
_MAX_MINUTES = 1_440
_MAX_DURATIONS = 500

Execute = Callable[[dict[str, Any], object, str], dict[str, Any]]


def patch_metrics() -> None:
    """The emulator counts what the Invoke API called, and neither requests nor events; and keeps a point of each for
    two weeks. Call it after `patch_functions`, whose wrapper it goes around."""
    for name in ("_emit_lambda_metrics", "_execute_function_warm"):
        require(callable(getattr(lambda_svc, name, None)), f"lambda_svc.{name} is gone")
    require(callable(getattr(cloudwatch, "_metric_bucket", None)), "cloudwatch._metric_bucket is gone")
    execute: Execute = lambda_svc._execute_function_warm

    def execute_function_warm(func: dict[str, Any], event: object, request_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        outcome = execute(func, event, request_id)
        name = str((func.get("config") or func).get("FunctionName"))
        is_throttled = bool(outcome.get("throttle"))
        _count(name, "Throttles", int(is_throttled))
        if not is_throttled:
            _count(name, "Invocations", 1)
            _count(name, "Errors", int(bool(outcome.get("error"))))
            _add_duration(name, (time.perf_counter() - started) * 1_000)
        return outcome

    def emit_throttles(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        del duration_ms, error
        if throttle:
            _count(function_name, "Throttles", 1)

    lambda_svc._execute_function_warm = execute_function_warm
    lambda_svc._emit_lambda_metrics = emit_throttles


def _count(function: str, metric: str, value: int) -> None:
    """Adds to the point of this minute."""
    points = _points(function, metric)
    minute = time.time() // _MINUTE_SECONDS * _MINUTE_SECONDS
    if not points or points[-1]["Timestamp"] != minute:
        statistics = {"SampleCount": 0, "Sum": 0, "Minimum": value, "Maximum": value}
        points.append({"Timestamp": minute, "Value": 0.0, "Unit": "Count", "Dimensions": {}, "_stat": statistics})
        del points[:-_MAX_MINUTES]
    found = points[-1]["_stat"]
    found["SampleCount"] += 1
    found["Sum"] += value
    found["Minimum"], found["Maximum"] = min(found["Minimum"], value), max(found["Maximum"], value)


def _add_duration(function: str, milliseconds: float) -> None:
    points = _points(function, "Duration")
    points.append({"Timestamp": time.time(), "Value": milliseconds, "Unit": "Milliseconds", "Dimensions": {}})
    del points[:-_MAX_DURATIONS]


def _points(function: str, metric: str) -> list[dict[str, Any]]:
    dimensions = cloudwatch._dims_key({"FunctionName": function})
    points: list[dict[str, Any]] = cloudwatch._metric_bucket((_NAMESPACE, metric, dimensions))
    return points
