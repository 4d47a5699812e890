"""What is around every page: signing in, the menu, addresses, appearance, and an API that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Axe
from tests.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_signs_in_with_a_key_and_out_again(page: Page, stack: Stack, axe: Axe) -> None:
    page.goto("")
    axe(page)
    page.get_by_role("button", name="API key").click()
    axe(page)
    page.get_by_role("textbox", name="API key").fill("aim_wrong")
    page.keyboard.press("Enter")
    page.get_by_text("unknown, expired or revoked").wait_for()
    page.get_by_role("textbox", name="API key").fill(stack.api_key)
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Menu").wait_for()
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("textbox", name="API key").wait_for()
    assert page.evaluate("sessionStorage.length") == 0


def test_dark_chinese_and_compact_outlast_a_reload(signed_in: Page, axe: Axe) -> None:
    signed_in.goto("")
    signed_in.get_by_role("button", name="Appearance").click()
    signed_in.get_by_role("menuitemcheckbox", name="Dark").click()
    signed_in.get_by_role("button", name="Appearance").click()
    signed_in.get_by_role("menuitemcheckbox", name="中文").click()
    signed_in.reload()
    signed_in.get_by_role("link", name="总览").first.wait_for()
    assert signed_in.locator("body.awsui-dark-mode").count() == 1
    assert signed_in.locator("html").get_attribute("lang") == "zh-CN"
    axe(signed_in)


# What is asked again for some seconds, as where nobody answers: those two in make test-browser.
@pytest.mark.parametrize(
    "fault",
    ["500", pytest.param("429", marks=pytest.mark.slow), pytest.param("html", marks=pytest.mark.slow), "cut", "gone"],
)
def test_i4_an_api_that_is_not_well_leaves_a_readable_page(signed_in: Page, stack: Stack, fault: str) -> None:
    broken = True

    def answer(route: Route) -> None:
        if not broken:
            route.continue_()
        elif fault == "gone":
            route.abort()
        elif fault == "cut":
            route.fulfill(status=200, content_type="application/json", body='{"version": "0.')
        elif fault == "html":
            route.fulfill(status=502, content_type="text/html", body="<h1>Bad Gateway</h1>")
        else:
            problem = f'{{"code": "any", "detail": "It is {fault}.", "status": {fault}}}'
            route.fulfill(status=int(fault), content_type="application/problem+json", body=problem)

    signed_in.route(f"{stack.url}/v1/system", answer)
    signed_in.goto("")
    alert = signed_in.get_by_role("button", name="Try again").first
    alert.wait_for()
    broken = False
    alert.click()
    alert.wait_for(state="detached")


def test_a_browser_that_is_offline_still_reads_a_stack_on_its_own_machine(signed_in: Page) -> None:
    signed_in.goto("")
    signed_in.get_by_role("navigation", name="Menu").wait_for()
    # As Chromium tells it where a laptop loses its network; loopback goes on.
    signed_in.evaluate("dispatchEvent(new Event('offline'))")
    signed_in.get_by_role("link", name="Datasets", exact=True).click()
    signed_in.get_by_text("No datasets yet").or_(signed_in.get_by_role("table", name="Datasets")).first.wait_for()
    signed_in.get_by_role("link", name="System", exact=True).click()
    signed_in.get_by_text("Reconciler's last pass").wait_for()
