"""Requests, errors and times of an endpoint, from the counters of whoever serves it."""

from collections.abc import Iterable

from aimass_core.domain.endpoint_counters import Counts, MinuteCounts, total
from aimass_core.domain.endpoint_watching import EndpointMetrics, Traffic, TrafficPoint, VersionTraffic
from aimass_core.domain.endpoints import Endpoint
from aimass_core.ports import Ports
from aimass_core.services import endpoint_counters
from aimass_core.services.watching.spans import Span


def measure(ports: Ports, endpoint: Endpoint, span: Span) -> EndpointMetrics:
    """Of a stretch of time, by version and step by step."""
    minutes = endpoint_counters.list_minutes(
        ports, endpoint.workspace_id, endpoint.id, since=span.since, until=span.until
    )
    served = [each for each in minutes if not each.is_shadow]
    starts = sorted({span.start_of(each.minute) for each in served})
    return EndpointMetrics(
        endpoint=endpoint.name,
        since=span.since,
        until=span.until,
        step_seconds=span.step_seconds,
        total=Traffic(**_to_fields(_sum(served))),
        versions=_by_version(minutes),
        points=[
            TrafficPoint(at=start, **_to_fields(_sum(each for each in served if span.start_of(each.minute) == start)))
            for start in starts
        ],
    )


def _by_version(minutes: list[MinuteCounts]) -> list[VersionTraffic]:
    names = dict.fromkeys((f"{each.model_name}@{each.number}", each.is_shadow) for each in minutes)
    return [
        VersionTraffic(
            model=model,
            is_shadow=is_shadow,
            **_to_fields(
                _sum(
                    each
                    for each in minutes
                    if (f"{each.model_name}@{each.number}", each.is_shadow) == (model, is_shadow)
                )
            ),
        )
        for model, is_shadow in names
    ]


def _sum(minutes: Iterable[MinuteCounts]) -> Counts:
    return total(each.counts for each in minutes)


def _to_fields(counts: Counts) -> dict[str, int | float | None]:
    return {
        "requests": counts.requests,
        "errors": counts.errors,
        "refused": counts.refused,
        "rows": counts.rows,
        "row_errors": counts.row_errors,
        "error_rate": counts.error_rate,
        "disagreement": counts.disagreement,
        "p50_ms": counts.percentile_ms(0.5),
        "p95_ms": counts.percentile_ms(0.95),
        "p99_ms": counts.percentile_ms(0.99),
    }
