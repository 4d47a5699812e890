"""The collectors as they are deployed: what others send becomes a dataset, what is due is begun."""

import json
from pathlib import Path

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


def test_a_newcomers_collector_becomes_a_source_with_data(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    stack.cli("collectors", "new", "e2e-newcomer", "--folder", str(tmp_path))
    folder = str(tmp_path / "e2e-newcomer")
    assert "items" in stack.cli("collectors", "run", folder)
    assert stack.cli("collectors", "publish", folder).strip() == "e2e-newcomer"
    job = client.sources.run("e2e-newcomer").wait()
    assert job.metrics["num_rows"] == 2
    rows = stack.cli("datasets", "rows", "e2e-newcomer-items")
    assert rows.splitlines()[1:] == ["1,Ann,12.5,2026-01-01T10:00:00Z", "2,Bob,7.0,2026-01-02T10:00:00Z"]
    assert client.datasets.lineage("e2e-newcomer-items").source_name == "e2e-newcomer"
    client.sources.delete("e2e-newcomer")
