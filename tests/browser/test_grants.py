"""Grants of single things: made, found by the thing and by whoever has them, revoked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aimass
from tests.browser.conftest import Axe, Picture
from tests.browser.data import open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_dataset_is_granted_found_from_both_sides_and_revoked(
    signed_in: Page, client: aimass.Client, dataset: str, axe: Axe, picture: Picture
) -> None:
    key = client.api_keys.create("reads-only", role="viewer")
    other = open_workspace(client, "granted-to")
    signed_in.goto(f"collection/datasets/{dataset}")
    signed_in.locator("a[href*='grants?kind=dataset']").click()
    signed_in.get_by_text(f"Only Dataset {dataset}").wait_for()
    for grantee in ("reads-only", other.id):
        signed_in.get_by_role("button", name="Grant something").first.click()
        form = signed_in.get_by_role("dialog")
        form.get_by_label("To whom").fill("nobody")
        form.get_by_text("Nobody is called so.").wait_for()
        form.get_by_label("To whom").fill(grantee)
        signed_in.keyboard.press("Escape")
        form.get_by_text(re.compile(f"^{grantee} may then")).wait_for()
        if grantee == other.id:
            axe(signed_in)
        form.get_by_role("button", name="Grant", exact=True).click()
        form.wait_for(state="hidden")
    signed_in.get_by_role("row", name=re.compile(f"{dataset}.*{other.id}.*read")).wait_for()
    assert {(grant.grantee, str(grant.verb)) for grant in client.grants.list("dataset", dataset)} == {
        (key.id, "edit"),
        (other.id, "read"),
    }
    axe(signed_in)
    picture(signed_in, "management-grants")

    signed_in.goto("management/api-keys")
    signed_in.get_by_role("button", name="Actions on reads-only").click()
    signed_in.get_by_role("menuitem", name="Grants").click()
    signed_in.get_by_text("Only to reads-only").wait_for()
    signed_in.get_by_role("row", name=re.compile(f"{dataset}.*reads-only.*edit")).wait_for()
    assert signed_in.get_by_text(other.id).count() == 0
    signed_in.get_by_role("button", name="Show all").click()
    signed_in.get_by_role("row", name=re.compile(other.id)).get_by_role("button", name=re.compile("Revoke")).click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    signed_in.get_by_role("row", name=re.compile(other.id)).wait_for(state="detached")
    assert list(client.grants.given(grantee=other.id)) == []
