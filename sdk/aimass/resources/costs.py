"""What the workspace costs, and its budget."""

from datetime import date

from aimass.binding import Api
from aimass_core.domain.costs import Budget, CostKind, Costs


class CostsApi(Api):
    """`client.costs`."""

    def get(
        self,
        *,
        since: date | str | None = None,
        until: date | str | None = None,
        kind: CostKind | str | None = None,
        limit: int = 100,
    ) -> Costs:
        """By day, by kind, and by job, endpoint, query, dataset and model.

        Args:
            since: The first day (UTC); default: the first of the month of `until`.
            until: The last day, included; default: today.
            kind: jobs, endpoints, predictions, queries or storage. Default: all.
            limit: At most so many lines, the dearest first.
        """
        given = {"since": since, "until": until, "kind": kind, "limit": limit}
        return self._get(Costs, "/v1/costs", **{name: str(value) for name, value in given.items() if value is not None})

    def budget(self) -> Budget:
        """What is spent of the month's budget, which is a setting of quotas (`monthly_budget_usd`)."""
        return self._get(Budget, "/v1/budget")
