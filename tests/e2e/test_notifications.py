"""Notifications and reports as they are deployed: a job makes a PDF, and a signed delivery and an e-mail tell of it."""

from pathlib import Path

import aimass
from aimass import webhooks
from aimass_core.domain.notification_channels import DeliveryStatus
from tests.receivers import Receiver, receiver
from tests.stack import Stack, wait_until

__all__ = ["receiver"]


def test_report_reaches_a_receiver_and_a_mailbox(
    stack: Stack, client: aimass.Client, receiver: Receiver, tmp_path: Path
) -> None:
    hook = client.notification_channels.create_webhook("e2e-hook", receiver.url)
    client.notification_channels.create_email("e2e-mail", "team@example.org")
    report = client.reports.create(days=2, channels=["e2e-hook", "e2e-mail"]).wait()
    path = report.save(tmp_path / "report.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    assert report.figures

    def settled() -> bool:
        found = list(client.notification_deliveries.list(status=DeliveryStatus.DELIVERED))
        return {each.channel_name for each in found} >= {"e2e-hook", "e2e-mail"}

    wait_until(settled)
    ((headers, body),) = receiver.came
    event = webhooks.verify(body, headers, secret=str(hook.secret))
    assert (event["type"], event["data"]["report_id"]) == ("report.ready", report.id)
    for name in ("e2e-hook", "e2e-mail"):
        client.notification_channels.delete(name)
