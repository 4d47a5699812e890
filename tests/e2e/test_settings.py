"""Settings as they are deployed: a change holds in every process without a restart, and how soon, at the front door."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.stack import Stack, wait_until

# Several at once, so that several processes of a function are asked.
NUM_CALLERS = 3
FUNCTION_LOG = "/aws/lambda/aimass-api"


@pytest.fixture
def tenant(stack: Stack) -> Iterator[httpx2.Client]:
    """The admin of a new workspace."""
    with httpx2.Client(base_url=stack.url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=60) as http:
        made = http.post("/v1/workspaces", json={"name": f"settings-{uuid.uuid4().hex[:12]}"}).json()
    headers = {"authorization": f"Bearer {made['secret']}"}
    with httpx2.Client(base_url=stack.url, headers=headers, timeout=60) as http:
        yield http


def test_changes_hold_in_every_process(stack: Stack, tenant: httpx2.Client) -> None:
    dataset = tenant.post("/v1/datasets", json={"name": "loans"}).json()
    logs = stack.aws("logs")

    def predict() -> int:
        return tenant.post("/v1/endpoints/none/predict", json={"rows": [{"note": "x" * 2_000}]}).status_code

    def upload() -> int:
        body = {"file_name": "a.csv", "num_bytes": 4_096, "sha256": "0" * 64}
        return tenant.post(f"/v1/datasets/{dataset['id']}/uploads", json=body).status_code

    def tell() -> set[int]:
        """Whether each of as many requests has left a line that says more (1) or not (0)."""
        nonce, since = uuid.uuid4().hex, int(time.time() * 1_000) - 1_000
        answers(lambda: tenant.get(f"/v1/datasets/{nonce}").status_code)

        def find() -> list[str]:
            found = logs.filter_log_events(logGroupName=FUNCTION_LOG, startTime=since, filterPattern=f'"{nonce}"')
            lines = [event["message"] for event in found["events"] if '"message":"request"' in event["message"]]
            return lines if len(lines) == NUM_CALLERS else []

        return {int('"level_of_workspace":"debug"' in line) for line in wait_until(find)}

    def set_value(subsystem: str, **values: object) -> None:
        at = tenant.get(f"/v1/settings/{subsystem}").headers["etag"]
        changed = tenant.patch(f"/v1/settings/{subsystem}", json={"values": values}, headers={"if-match": at})
        assert changed.status_code == 200, changed.text

    def answers(ask: Callable[[], int]) -> set[int]:
        with ThreadPoolExecutor(NUM_CALLERS) as pool:
            return set(pool.map(lambda _: ask(), range(NUM_CALLERS)))

    def seconds_until(ask: Callable[[], set[int]], wanted: int, *, since: float) -> float:
        wait_until(lambda: ask() == {wanted})
        return time.monotonic() - since

    # Every process has read what holds by default.
    assert (answers(predict), answers(upload), tell()) == ({404}, {201}, {0})

    since = time.monotonic()
    set_value("inference", max_body_bytes=1_024)
    set_value("quotas", max_upload_bytes=1_024)
    set_value("logging", level="debug")
    taken = {
        "inference": seconds_until(lambda: answers(predict), 413, since=since),
        "quotas": seconds_until(lambda: answers(upload), 413, since=since),
        "logging": seconds_until(tell, 1, since=since),
    }
    print(f"settings held after {taken}")
