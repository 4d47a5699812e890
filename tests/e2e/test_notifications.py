"""Notifications and reports as they are deployed: a job makes a PDF, and a signed delivery and an e-mail tell of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import aimass
from aimass import webhooks
from aimass_core.domain.notification_channels import DeliveryStatus
from tests.stack import Stack, wait_until


class Receiver:
    """A server that keeps what comes."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[tuple[dict[str, str], bytes]] = []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/in"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


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
