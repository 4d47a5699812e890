"""CloudWatch's figures and alarms, the ingest queue, and Batch's queue of jobs."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.adapters.sqs import measure
from aimass_core.domain.common import Clock, utc_now
from aimass_core.domain.job_queues import queue_names
from aimass_core.ports import FunctionFigures, JobQueueState, QueueFigures, RaisedAlarm

CACHED_SECONDS = 20.0
_WINDOW_SECONDS = 3_600
_METRICS = {
    "num_invocations": ("Invocations", "Sum"),
    "num_errors": ("Errors", "Sum"),
    "num_throttles": ("Throttles", "Sum"),
    "p95_ms": ("Duration", "p95"),
}
_AGE_ID = "age"
_MAX_ALARMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Names of what is watched: functions by their short names, and what the names of our alarms begin with."""

    functions: Mapping[str, str]
    queue_url: str
    job_queue: str
    alarm_prefix: str


class AwsWatch:
    """Satisfies `Watch`."""

    def __init__(
        self,
        watched: Watched,
        *,
        cloudwatch: Any,
        sqs: Any,
        batch: Any,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched, self._cloudwatch, self._sqs, self._batch = watched, cloudwatch, sqs, batch
        self._clock, self._monotonic = clock, monotonic
        self._measured: tuple[float, Mapping[str, float]] | None = None

    def list_functions(self) -> Sequence[str]:
        """See Watch."""
        return list(self._watched.functions)

    def measure_functions(self) -> Mapping[str, FunctionFigures]:
        """See Watch."""
        measured = self._measure()
        return {
            name: FunctionFigures(
                num_invocations=_to_count(measured.get(f"f{number}_num_invocations")),
                num_errors=_to_count(measured.get(f"f{number}_num_errors")),
                num_throttles=_to_count(measured.get(f"f{number}_num_throttles")),
                p95_ms=measured.get(f"f{number}_p95_ms"),
            )
            for number, name in enumerate(self._watched.functions)
        }

    def measure_queue(self) -> QueueFigures:
        """See Watch."""
        figures = measure(self._sqs, self._watched.queue_url)
        return replace(figures, oldest_seconds=self._measure().get(_AGE_ID))

    def read_job_queue(self) -> JobQueueState | None:
        """See Watch."""
        try:
            found = self._batch.describe_job_queues(jobQueues=queue_names(self._watched.job_queue))["jobQueues"]
        except AWS_ERRORS as error:
            raise to_error(error, what="the compute service") from error
        if not found:
            return None
        queue = max(found, key=lambda each: (each["state"], each["status"]) != ("ENABLED", "VALID"))
        return JobQueueState(state=queue["state"], status=queue["status"], reason=queue.get("statusReason"))

    def list_alarms(self) -> Sequence[RaisedAlarm]:
        """See Watch."""
        try:
            answer = self._cloudwatch.describe_alarms(
                AlarmNamePrefix=self._watched.alarm_prefix, StateValue="ALARM", MaxRecords=_MAX_ALARMS
            )
        except AWS_ERRORS as error:
            raise to_error(error, what="the monitoring service") from error
        return [
            RaisedAlarm(
                name=alarm["AlarmName"],
                description=alarm.get("AlarmDescription") or "",
                since=alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp"),
            )
            for alarm in answer["MetricAlarms"]
        ]

    def _measure(self) -> Mapping[str, float]:
        now = self._monotonic()
        if self._measured is None or now - self._measured[0] > CACHED_SECONDS:
            self._measured = (now, self._ask())
        return self._measured[1]

    def _ask(self) -> Mapping[str, float]:
        """Of each figure its value in the last hour: a sum, or of the two hours that it touches the greater one."""
        until = self._clock()
        try:
            pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
                MetricDataQueries=list(self._queries()),
                StartTime=until - timedelta(seconds=_WINDOW_SECONDS),
                EndTime=until,
            )
            results = [result for page in pages for result in page["MetricDataResults"]]
        except AWS_ERRORS as error:
            raise to_error(error, what="the monitoring service") from error
        values: dict[str, list[float]] = {}
        for result in results:
            values.setdefault(result["Id"], []).extend(result["Values"])
        return {name: max(found) if _is_extreme(name) else sum(found) for name, found in values.items() if found}

    def _queries(self) -> Sequence[Mapping[str, Any]]:
        queries = [
            _query(f"f{number}_{figure}", "AWS/Lambda", metric, statistic, {"FunctionName": name})
            for number, name in enumerate(self._watched.functions.values())
            for figure, (metric, statistic) in _METRICS.items()
        ]
        queue = {"QueueName": self._watched.queue_url.rpartition("/")[2]}
        return [*queries, _query(_AGE_ID, "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", queue)]


def _query(query_id: str, namespace: str, metric: str, statistic: str, dimensions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": _WINDOW_SECONDS,
            "Stat": statistic,
        },
    }


def _is_extreme(query_id: str) -> bool:
    return query_id == _AGE_ID or query_id.endswith("p95_ms")


def _to_count(value: float | None) -> int | None:
    return None if value is None else round(value)
