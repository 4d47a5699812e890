"""The console in Chromium, over the deployed local stack: `make test-browser`.

Every page of every test is watched: a script that fails, something that the content security policy refuses, and a
request to anybody but the stack fail the test (FAULTS I1, I11).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.trained import dataset, trained
from tests.sockets import allow_hosts
from tests.stack import Stack, client, loans, stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

__all__ = ["client", "dataset", "loans", "stack", "trained"]

REPOSITORY = Path(__file__).resolve().parents[2]
STATIC = REPOSITORY / "functions" / "console" / "static"
AXE = REPOSITORY / "functions" / "console" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
# Pictures of the last run; the ones of the story are those of the documentation.
PICTURES = Path(os.environ.get("AIMASS_PICTURES", REPOSITORY / "build" / "pictures"))
SECONDS = 60

collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["test_*.py"]

Axe = Callable[["Page"], None]
Picture = Callable[["Page", str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1", "localhost"])
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Playwright's own where there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture
def console_url(stack: Stack) -> str:
    """With a slash at the end."""
    assert (STATIC / "index.html").exists(), "run `make console` first"
    return f"{stack.url}/console/"


@pytest.fixture
def page(browser: Browser, stack: Stack, console_url: str) -> Iterator[Page]:
    """A page of a browser of its own, nobody signed in."""
    context = browser.new_context(
        base_url=console_url, viewport={"width": 1300, "height": 900}, locale="en-GB", reduced_motion="reduce"
    )
    context.set_default_timeout(SECONDS * 1000)
    opened = context.new_page()
    faults = watch(opened, stack.url)
    yield opened
    context.close()
    assert not faults, faults


def watch(page: Page, origin: str) -> list[str]:
    """What happens on the page that must not; filled as it happens."""
    faults: list[str] = []

    def hear_request(request: Request) -> None:
        if not request.url.startswith((f"{origin}/", "data:", "blob:")):
            faults.append(f"a request to {request.url}")

    def hear_console(message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            faults.append(message.text)

    page.on("request", hear_request)
    page.on("console", hear_console)
    page.on("pageerror", lambda error: faults.append(f"{error}"))
    return faults


@pytest.fixture
def signed_in(page: Page, stack: Stack) -> Page:
    """The page, for the admin of the stack's workspace; go where you like."""
    sign_in(page, stack.api_key)
    return page


def sign_in(page: Page, api_key: str) -> None:
    """As the form does, but without waiting for it."""
    stored = f"'aimass.credential', {json.dumps(api_key)}"
    page.add_init_script(f"sessionStorage.getItem('aimass.credential') ?? sessionStorage.setItem({stored})")


@pytest.fixture(scope="session")
def axe() -> Axe:
    """Fails where axe finds something serious or critical (WCAG 2.1 A and AA)."""
    source = AXE.read_text("utf-8")

    def check(page: Page) -> None:
        page.evaluate(source)
        # NOTE: Cloudscape's own bar of narrow pages has an attribute that says nothing to anybody.
        around = "{exclude: [['[class*=awsui_mobile-toolbar-nav]']]}"
        found = page.evaluate(f"axe.run({around}, {{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}})")
        serious = [
            f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
        assert not serious, "\n".join(serious)

    return check


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Keeps a picture of the page."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=PICTURES / f"{name}.png")

    return take
