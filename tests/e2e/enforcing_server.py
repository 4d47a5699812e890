"""The local cloud with its emulator enforcing roles: `python enforcing_server.py DECISIONS --port N --data-dir D`.

The emulator reads AUTH when it is imported. Its requests count as HTTPS, which our bucket and queue policies demand.
What it decides about a role is written to a file, one JSON array a line.
"""

import json
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator

from aimass_local import server
from aimass_local.environment import ACCOUNT_ID, REGION


def main() -> int:
    """Runs the server until it is stopped."""
    decisions = Path(sys.argv[1])
    build = server.server_environment
    server.server_environment = lambda *args, **options: {**build(*args, **options), "AUTH": "true"}
    pin_origin = iam_evaluator.pin_request_origin
    iam_evaluator._request_origin = ContextVar("origin", default=("127.0.0.1", True))
    iam_evaluator.pin_request_origin = lambda source_ip, _is_secure: pin_origin(source_ip, True)

    iam_actions.extract_resource_arn = _corrected(iam_actions.extract_resource_arn)
    enforce, evaluate = iam_evaluator.enforce, iam_evaluator.evaluate
    is_asked = ContextVar("is_asked", default=False)

    def enforced(*args: Any, **options: Any) -> Any:
        is_asked.set(True)
        return enforce(*args, **options)

    def recorded(context: Any, *args: Any, **options: Any) -> Any:
        if context.action.startswith("sqs:"):
            # On AWS the right to an action is the right to several of it at once.
            context = replace(context, action=context.action.removesuffix("Batch"))
        result = evaluate(context, *args, **options)
        # What follows within the same request are policies of resources.
        if is_asked.get() and "assumed-role" in context.principal_arn:
            role = context.principal_arn.split("/")[1]
            with decisions.open("a") as file:
                file.write(json.dumps([role, context.action, context.resource_arn, result.decision]) + "\n")
        is_asked.set(False)
        return result

    iam_evaluator.enforce, iam_evaluator.evaluate = enforced, recorded
    return server.main(sys.argv[2:])


def _corrected(extract: Callable[..., str]) -> Callable[..., str]:
    """Resources that the emulator does not know of all requests: a query's workgroup, an e-mail's sender, of a query of
    logs each of its groups (of which the first is looked at here). It takes a database's name for that of a table."""

    def extract_resource_arn(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        arn = extract(service, method, path, headers, body, *rest)
        if service == "glue":
            return arn.replace(":table/", ":database/")
        if service == "ses" and path.endswith("/outbound-emails"):
            return f"arn:aws:ses:{REGION}:{ACCOUNT_ID}:identity/{json.loads(body)['FromEmailAddress']}"
        if service == "logs" and arn == "*" and (groups := json.loads(body).get("logGroupNames")):
            return f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{groups[0]}"
        if service != "athena" or arn != "*":
            return arn
        from ministack.services import athena

        execution = athena._executions[json.loads(body)["QueryExecutionId"]]
        return f"arn:aws:athena:{REGION}:{ACCOUNT_ID}:workgroup/{execution['WorkGroup']}"

    return extract_resource_arn


if __name__ == "__main__":
    sys.exit(main())
