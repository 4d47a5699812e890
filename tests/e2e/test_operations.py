"""Looking after the platform: a request is found in the logs, and an event that failed is sent again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx2

import aimass
from tests.stack import Stack, wait_until


def test_a_request_and_an_event_that_failed_are_found_and_the_event_is_sent_again(
    stack: Stack, client: aimass.Client
) -> None:
    key = {"authorization": f"Bearer {stack.api_key}"}
    refused = httpx2.get(f"{stack.url}/v1/datasets/nothing", headers=key, timeout=60)
    request_id = refused.headers["x-request-id"]
    line = wait_until(lambda: client.logs.search(request_id=request_id).first())
    assert (line.source, line.message, line.details["status"]) == ("api", "request", 404)

    # Nothing of ours looks like this, so the function breaks, is called again, and gives the event up.
    broken = {"source": "aws.batch", "detail": {"container": "none", "note": "canary"}}
    for found in client.system.dead_letters("job_events").items:
        client.system.purge("job_events", [found.id])
    stack.aws("lambda").invoke(
        FunctionName="aimass-job-events", InvocationType="Event", Payload=json.dumps(broken).encode()
    )
    (letter,) = wait_until(lambda: client.system.dead_letters("job_events").items, seconds=60)
    assert "canary" in letter.body
    assert "attribute" in (letter.reason or "")
    wait_until(lambda: "job_events" in " ".join(r for c in client.system.status().centres for r in c.reasons))
    assert client.system.redrive("job_events", [letter.id]).num_done == 1
    since = datetime.now(UTC) - timedelta(minutes=5)
    assert next(iter(client.audit.list(action="dead_letters.redrive", since=since))).details["ids"] == [letter.id]
    assert client.audit.verify().is_intact
