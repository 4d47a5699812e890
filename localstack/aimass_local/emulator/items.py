"""DynamoDB: a Query looks at every item of a partition, and the emulator parses the condition anew for each of them.

With ten thousand files in one dataset that is most of what the server does. The one condition that the registry asks
with is decided here; every other is left to the emulator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ministack.services import dynamodb

from aimass_local.emulator.contract import require

_PREFIX_CONDITION = re.compile(r"(\w+) = (:\w+) AND begins_with\((\w+), (:\w+)\)")


def patch_items() -> None:
    """Applies the patches of this module."""
    require(callable(getattr(dynamodb, "_evaluate_condition", None)), "dynamodb._evaluate_condition is gone")
    evaluate = dynamodb._evaluate_condition

    def evaluate_condition(
        condition: str, item: Mapping[str, Any], values: Mapping[str, Any], *rest: Any, **options: Any
    ) -> Any:
        match = _PREFIX_CONDITION.fullmatch(condition) if options.get("slot") == "KeyConditionExpression" else None
        if match is None:
            return evaluate(condition, item, values, *rest, **options)
        partition, wanted, sort, prefix = match.groups()
        is_of_it = item.get(partition) == values[wanted]
        return is_of_it and item[sort]["S"].startswith(values[prefix]["S"])

    dynamodb._evaluate_condition = evaluate_condition
