"""The collectors as they are deployed: what others send becomes a dataset, what is due is begun."""

import json

import aimass
from aimass_core.errors import NotFoundError
from tests.e2e.webhooks import send_webhook, tick
from tests.stack import Stack, wait_until


def test_deliveries_of_a_webhook_become_versions_of_a_dataset(stack: Stack, client: aimass.Client) -> None:
    name = "e2e-signups"
    stack.cli("sources", "create", name, "--webhook")
    address = client.sources.create_webhook(name)
    rows = [{"id": index, "city": "Bern", "amount": index * 1.5} for index in range(200)]
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    refused = send_webhook(client, address, body, secret="whsec_" + "A" * 43 + "=")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert send_webhook(client, address, body).json() == {"accepted": 200}
    assert send_webhook(client, address, body).json() == {"accepted": 200}

    def rows_of_the_latest() -> int | None:
        try:
            latest = client.datasets.get(name).latest_version
        except NotFoundError:
            return None
        return client.datasets.get_version(name, latest).num_rows if latest else None

    wait_until(rows_of_the_latest)
    assert rows_of_the_latest() == 200, "a delivery that comes again is taken once"
    lineage = client.datasets.lineage(name)
    assert (lineage.source_name, lineage.streams) == (name, [name])
    assert name in stack.cli("datasets", "lineage", name)
    client.sources.delete(name)
    assert send_webhook(client, address, body, message_id="msg_2").status_code == 401


def test_tick_begins_nothing_that_is_not_due(stack: Stack, client: aimass.Client) -> None:
    client.sources.create(
        "e2e-daily",
        collector={"type": "files", "urls": ["https://data.example/a.csv"]},
        policy={"schedule": "rate(1 day)"},
    )
    assert tick(stack)["faults"] == 0
    assert list(client.sources.runs("e2e-daily")) == []
    client.sources.delete("e2e-daily")
