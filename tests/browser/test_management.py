"""Settings, people, keys, audit and the other pages of management, by mouse and keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import aimass
from aimass_core.domain.common import Role
from aimass_core.errors import UnauthenticatedError
from tests.browser.conftest import Axe, Picture, sign_in, watch
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = [
    *("settings", "settings/quotas", "settings/quotas?tab=history", "workspaces", "users", "api-keys", "audit", "logs"),
    *("system", "costs", "notifications", "notifications?tab=channels", "notifications?tab=rules"),
    *("notifications?tab=deliveries", "reports", "transfers", "grants", "grants?tab=received"),
]
HOSTILE = "<img src=x onerror=alert(1)> javascript:alert(1) \u202e" + "Ä" * 60


def test_a_setting_is_changed_told_and_brought_back(signed_in: Page, client: aimass.Client, picture: Picture) -> None:
    signed_in.goto("management/settings")
    signed_in.get_by_role("link", name="Training", exact=True).click()
    field = signed_in.get_by_label("Between checkpoints")
    field.fill("0")
    signed_in.get_by_role("button", name="Save").click()
    signed_in.get_by_role("alert").or_(signed_in.get_by_text("greater than or equal to 1")).first.wait_for()
    field.fill("30")
    signed_in.get_by_label("Why").fill(HOSTILE)
    signed_in.get_by_role("button", name="Save").click()
    signed_in.get_by_text(re.compile("Version 2 holds")).wait_for()
    assert value_of(client) == 30
    picture(signed_in, "management-settings")

    signed_in.get_by_role("tab", name="Versions").click()
    # FAULTS I1: what people write is text.
    signed_in.get_by_text("<img src=x onerror=alert(1)>").wait_for()
    signed_in.get_by_role("tab", name="Now").click()
    signed_in.get_by_role("button", name="Back to 60, the default of checkpoint_seconds").click()
    wait_until(lambda: value_of(client) == 60, seconds=20)


def value_of(client: aimass.Client) -> object:
    return client.http.request("GET", "/v1/settings/training")["values"]["checkpoint_seconds"]


def test_i8_a_key_is_made_once_rotated_and_revoked(signed_in: Page, client: aimass.Client, stack: Stack) -> None:
    signed_in.goto("management/api-keys")
    signed_in.get_by_role("button", name="Make a key").first.click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill(HOSTILE)
    dialog.get_by_role("button", name="Create").dblclick()
    secret = signed_in.get_by_text(re.compile("^aim_"))
    secret.wait_for()
    token = secret.inner_text()
    signed_in.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    made = [key for key in client.api_keys.list() if key.name == HOSTILE]
    assert [key.role for key in made] == [Role.VIEWER]
    with stack.client() as other:
        assert other.system.get() is not None

    signed_in.get_by_role("button", name=f"Actions on {HOSTILE}").click()
    signed_in.get_by_role("menuitem", name="Revoke").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    signed_in.get_by_role("row", name=re.compile("revoked")).wait_for()
    with aimass.Client(base_url=stack.url, api_key=token) as revoked, pytest.raises(UnauthenticatedError):
        revoked.system.get()


def test_i5_a_session_that_ends_while_a_form_is_filled_keeps_the_form(
    page: Page, client: aimass.Client, stack: Stack
) -> None:
    key = client.api_keys.create("ends-soon", role="admin")
    sign_in(page, key.secret)
    page.goto("management/workspaces")
    page.get_by_role("button", name=re.compile("Edit default")).click()
    page.get_by_role("dialog").get_by_label("Description").fill("What was typed")
    client.api_keys.revoke(key.id)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_text("Your session has ended").wait_for()
    page.get_by_role("button", name="API key").click()
    page.get_by_role("textbox", name="API key").fill(stack.api_key)
    page.keyboard.press("Enter")
    page.get_by_text("Your session has ended").wait_for(state="hidden")
    form = page.get_by_role("dialog")
    assert form.get_by_label("Description").input_value() == "What was typed"
    form.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert client.workspaces.get(client.system.get().workspace_id).description == "What was typed"


def test_somebody_is_invited_and_may_only_read_and_the_audit_tells_it(
    signed_in: Page, browser: Browser, stack: Stack, console_url: str
) -> None:
    signed_in.goto("management/users")
    signed_in.get_by_role("button", name="Invite").first.click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill("ann@example.org")
    dialog.get_by_label("Name").fill("Ann")
    dialog.get_by_role("button", name="Invite").click()
    link = signed_in.get_by_text(re.compile("#invitation="))
    link.wait_for()
    context = browser.new_context(base_url=console_url, locale="en-GB")
    try:
        theirs = context.new_page()
        faults = watch(theirs, stack.url)
        theirs.goto(link.inner_text())
        theirs.get_by_role("textbox", name="Password").fill("Correct-horse-7-battery")
        theirs.keyboard.press("Enter")
        menu = theirs.get_by_role("navigation", name="Menu")
        menu.get_by_role("link", name="Endpoints").wait_for()
        assert menu.get_by_role("link", name="Audit").count() == 0
        assert "invitation" not in theirs.url
        theirs.goto("management/audit")
        theirs.get_by_text("Your role may not do this").wait_for()
        theirs.goto("management/settings/training")
        assert theirs.get_by_label("Between checkpoints").is_disabled()
        assert theirs.get_by_role("button", name="Save").count() == 0
        assert not faults, faults
    finally:
        context.close()

    signed_in.goto("management/audit")
    signed_in.get_by_label("Action").first.fill("user.*")
    signed_in.get_by_role("button", name="Search").click()
    signed_in.get_by_role("button", name="Show user.create of Ann").first.click()
    details = signed_in.get_by_role("dialog")
    details.get_by_text("127.0.0.1").wait_for()
    details.get_by_role("button", name="Close").last.click()
    signed_in.get_by_role("button", name="Export").click()
    with signed_in.expect_download() as download:
        signed_in.get_by_role("menuitem", name="CSV").click()
    assert "user.create" in download.value.path().read_text("utf-8")


def test_logs_are_found_by_the_request_that_the_audit_names(signed_in: Page, client: aimass.Client) -> None:
    client.api_keys.create("logged", role="viewer")
    request_id = client.http.request("GET", "/v1/audit", params={"limit": 1})["items"][0]["origin"]["request_id"]
    signed_in.goto(f"management/logs?request_id={request_id}")
    wait_until(lambda: find_line(signed_in), seconds=20)


def find_line(page: Page) -> bool:
    page.get_by_role("button", name="Search").click()
    return page.get_by_role("button", name=re.compile("POST .v1.api-keys 201")).count() > 0


def test_channels_and_rules_are_made(signed_in: Page) -> None:
    signed_in.goto("management/notifications?tab=channels")
    signed_in.get_by_role("button", name="Make a channel").first.click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill("hook")
    dialog.get_by_label("URL").fill("https://198.41.0.4/hook")
    dialog.get_by_role("button", name="Create").click()
    signed_in.get_by_text(re.compile("^whsec_")).wait_for()
    signed_in.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    signed_in.get_by_role("tab", name="Rules").click()
    signed_in.get_by_role("button", name="Make a rule").first.click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill("all-failures")
    for label, option in (("Events", "job.failed"), ("Channels", "hook")):
        dialog.get_by_role("button", name=re.compile(label)).first.click()
        signed_in.get_by_role("option", name=re.compile(f"^{option}")).first.click()
        signed_in.keyboard.press("Escape")
    dialog.get_by_role("button", name="Save").click()
    signed_in.get_by_role("row", name=re.compile("all-failures.*job.failed.*hook")).wait_for()


@pytest.mark.parametrize("address", PAGES)
def test_i9_every_page_is_accessible_in_both_themes_and_at_twice_the_size(
    signed_in: Page, axe: Axe, address: str
) -> None:
    signed_in.goto(f"management/{address}")
    signed_in.get_by_role("heading", level=1).wait_for()
    settle(signed_in)
    axe(signed_in)
    signed_in.set_viewport_size({"width": 640, "height": 480})
    signed_in.evaluate("localStorage.setItem('aimass.preferences', JSON.stringify({theme: 'dark', language: 'zh'}))")
    signed_in.reload()
    signed_in.get_by_role("heading", level=1).wait_for()
    settle(signed_in)
    axe(signed_in)
    assert not signed_in.evaluate("document.scrollingElement.scrollWidth > innerWidth + 1")


def settle(page: Page) -> None:
    """Nothing is being loaded any more."""
    page.wait_for_function("document.querySelector('[class*=awsui_spinner]') === null")
