"""CloudWatch Logs Insights: the answer to a query goes once it has been read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs

from aimass_local.emulator.contract import require


def patch_log_queries() -> None:
    """The emulator would keep every answer, in memory and in its state, for ever; AWS does for some days."""
    require(
        callable(getattr(cloudwatch_logs, "_get_query_results", None)), "cloudwatch_logs._get_query_results is gone"
    )
    require(hasattr(cloudwatch_logs, "_queries"), "cloudwatch_logs._queries is gone")
    read: Callable[[dict[str, Any]], Any] = cloudwatch_logs._get_query_results

    def get_query_results(data: dict[str, Any]) -> Any:
        answer = read(data)
        query_id = data.get("queryId")
        # Whoever reads page by page is not done yet.
        if data.get("maxItems") is None and query_id in cloudwatch_logs._queries:
            del cloudwatch_logs._queries[query_id]
        return answer

    cloudwatch_logs._get_query_results = get_query_results
