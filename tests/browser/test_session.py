"""Signing in as people do: by a link of the command line, by an invitation, by a password; going on; signing out."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

import aimass
from aimass_core.adapters.memory_identity import totp
from aimass_core.domain.users import UserInvited
from tests.browser.conftest import Axe, Picture
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "Correct horse 7"


@pytest.fixture
def invited(client: aimass.Client) -> UserInvited:
    return client.users.invite(f"ada-{uuid.uuid4().hex[:8]}@example.com", role="developer")


def _is_in(page: Page) -> None:
    page.get_by_role("navigation", name="Menu").wait_for()


def _stored(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate("sessionStorage.getItem('aimass.credential')"))
    return found


def _status_of(stack: Stack, token: str) -> int:
    return httpx2.get(f"{stack.url}/v1/me", headers={"authorization": f"Bearer {token}"}).status_code


def test_h19_link_of_the_command_line_opens_the_console_once(page: Page, stack: Stack, axe: Axe) -> None:
    link = stack.cli("console", "--no-open").strip()
    page.goto(link)
    _is_in(page)
    assert "#" not in page.url
    page.reload()
    _is_in(page)
    other = page.context.new_page()
    other.goto(link)
    other.get_by_text("used before").wait_for()
    axe(other)


def test_an_invitation_becomes_a_session_and_the_password_opens_another(
    page: Page, stack: Stack, invited: UserInvited, axe: Axe, picture: Picture
) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"#invitation={invited.invitation}")
    page.get_by_text("You are invited").wait_for()
    assert "#" not in page.url
    axe(page)
    picture(page, "invitation")
    page.get_by_label("Password", exact=True).fill("short")
    page.keyboard.press("Enter")
    page.get_by_text("too simple").wait_for()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    _is_in(page)
    page.get_by_text(f"{invited.email} (developer)").first.wait_for(state="attached")
    token = _stored(page)["access"]
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_label("E-mail address").fill(invited.email)
    assert page.evaluate("sessionStorage.length") == 0
    wait_until(lambda: _status_of(stack, token) == 401)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("is not right").wait_for()
    axe(page)
    picture(page, "sign-in")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    _is_in(page)
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Change the password").click()
    page.get_by_label("Present password").fill("wrong")
    page.get_by_label("New password").fill("Another horse 8")
    axe(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("present password is not right").wait_for()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Your password is changed").wait_for()


def test_a_second_factor_is_set_up_and_signing_in_asks_for_it(
    page: Page, stack: Stack, client: aimass.Client, invited: UserInvited, axe: Axe, picture: Picture
) -> None:
    client.sessions.accept(invited.invitation, password=PASSWORD)
    page.emulate_media(reduced_motion="reduce")
    page.goto("")

    def sign_in() -> None:
        page.get_by_label("E-mail address").fill(invited.email)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")

    sign_in()
    _is_in(page)
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Second factor").click()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("img", name="The secret as a picture").wait_for()
    secret = page.get_by_text(re.compile(r"^[A-Z2-7]{16,}$")).inner_text()
    axe(page)
    picture(page, "second-factor")
    page.get_by_label("Code of the authenticator").fill(totp(secret))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("asks for a code from now on").wait_for()

    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Sign out").click()
    sign_in()
    page.get_by_label("Code of the authenticator").fill("000000")
    page.keyboard.press("Enter")
    page.get_by_text("is not right").wait_for()
    axe(page)
    code = totp(secret)
    # As authenticators show it.
    page.get_by_label("Code of the authenticator").fill(f"{code[:3]} {code[3:]}")
    page.keyboard.press("Enter")
    _is_in(page)


def test_a_session_goes_on_before_its_token_ends(page: Page, stack: Stack) -> None:
    page.goto(stack.cli("console", "--no-open").strip())
    _is_in(page)
    before = _stored(page)
    page.evaluate(
        "stored => sessionStorage.setItem('aimass.credential', stored)", json.dumps({**before, "expiresAt": 1})
    )
    page.reload()
    _is_in(page)
    after = _stored(page)
    assert after["access"] != before["access"]
    assert after["refresh"] == before["refresh"]


def test_i5_whoever_is_out_signs_in_again_above_the_page(
    page: Page, stack: Stack, client: aimass.Client, axe: Axe, picture: Picture
) -> None:
    key = client.api_keys.create("ends", role="viewer")
    page.add_init_script(f"sessionStorage.setItem('aimass.credential', {json.dumps(key.secret)})")
    page.goto("")
    _is_in(page)
    client.api_keys.revoke(key.id)
    dialog = page.get_by_role("dialog", name="Your session has ended")
    # Whoever comes back to a tab sees what is there now.
    comes_back = "window.dispatchEvent(new Event('visibilitychange')); null"
    wait_until(lambda: page.evaluate(comes_back) or dialog.is_visible(), seconds=20)
    axe(page)
    picture(page, "again")
    dialog.get_by_role("button", name="API key").click()
    dialog.get_by_role("textbox", name="API key").fill(stack.api_key)
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    _is_in(page)


def test_somebody_of_two_workspaces_goes_from_one_to_the_other(
    page: Page, stack: Stack, client: aimass.Client, invited: UserInvited
) -> None:
    session = client.sessions.accept(invited.invitation, password=PASSWORD)
    name = f"second-{uuid.uuid4().hex[:8]}"
    made = client.http.request("POST", "/v1/workspaces", body={"name": name})
    with stack.client(api_key=made["secret"]) as other:
        again = other.users.invite(invited.email, role="admin")
    client.sessions.accept(again.invitation, password=PASSWORD)
    assert session.refresh_token
    page.goto("")
    page.get_by_label("E-mail address").fill(invited.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    _is_in(page)
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitemcheckbox", name=name).click()
    page.get_by_role("button", name=name).wait_for()
    page.reload()
    page.get_by_role("button", name=name).click()
    page.get_by_text(f"{invited.email} (admin)").first.wait_for(state="attached")
