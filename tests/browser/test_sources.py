"""Sources in the console: made, run, looked at."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aimass
from tests.browser.conftest import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server with one file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "shop.csv").write_text("order,amount\n1,2.5\n2,3.5\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "site"))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/shop.csv"
        server.shutdown()


def test_a_source_is_made_run_and_looked_at(signed_in: Page, client: aimass.Client, site: str, axe: Axe) -> None:
    page = signed_in
    page.goto("collection/sources/new")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_label("Urls").fill(site)
    axe(page)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="shop").wait_for()
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("tab", name="Secrets").click()
    page.get_by_label("Name", exact=True).fill("TOKEN")
    page.get_by_label("Value", exact=True).fill("s3cret")
    page.get_by_role("button", name="Set the secret").click()
    page.get_by_text("TOKEN is set.").wait_for()
    page.get_by_role("tab", name="Access").click()
    page.get_by_role("textbox", name="Workspace or API key").fill("ws_000000000000000000000000000")
    page.get_by_role("button", name="Grant", exact=True).click()
    page.get_by_text("Not found").wait_for()
    page.get_by_role("tab", name="Runs").click()
    runs = page.get_by_role("table", name="Runs")
    runs.get_by_text("SUCCEEDED").wait_for(timeout=60_000)
    axe(page)
    runs.get_by_role("button", name="Logs").click()
    page.get_by_role("dialog").locator("pre").wait_for()
    assert "s3cret" not in page.content()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Health").click()
    page.get_by_role("table", name="Datasets").get_by_role("link").click()
    page.get_by_role("heading", level=1).wait_for()
    assert client.sources.get("shop").secrets == ["TOKEN"]
