"""Datasets in the console: rows put right, recipes, expectations, changes at once, roles; and whatever users name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aimass
from aimass_core.domain.common import Role
from tests.browser.conftest import Axe, sign_in
from tests.browser.data import HOSTILE, TURNED, upload

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_two_rows_are_put_right_and_taken_in(signed_in: Page, client: aimass.Client, tmp_path: Path, axe: Axe) -> None:
    rows = [f"{number},{number / 2}" for number in range(100)]
    rows[10], rows[20] = "ten,5", f"20,{HOSTILE}"
    upload(client, tmp_path, "put-right", "\n".join(["id,price", *rows]) + "\n")
    page = signed_in
    page.goto("collection/datasets/put-right?tab=quarantine")
    page.get_by_role("cell", name=HOSTILE).first.wait_for()
    axe(page)
    for found, label, value in (("put-right.csv:12", "id", "10"), ("put-right.csv:22", "price", "10")):
        page.get_by_role("row", name=found).get_by_role("button", name="Put right").click()
        keep = page.get_by_role("button", name="Keep this correction")
        assert keep.is_disabled()
        page.get_by_role("dialog").get_by_label(label, exact=True).fill(value)
        keep.click()
    page.get_by_role("button", name="Replay 2 rows").click()
    page.get_by_role("link", name="in version 2").first.wait_for()
    assert page.get_by_role("link", name="in version 2").count() == 2
    client.datasets.get_version("put-right", 2).wait()
    assert client.datasets.get_version("put-right", 2).num_rows == 100


def test_recipes_are_tried_and_expectations_suggested(
    signed_in: Page, client: aimass.Client, tmp_path: Path, axe: Axe
) -> None:
    rows = "\n".join(f"{number}, word {number % 3} ,{number * 2}" for number in range(60))
    upload(client, tmp_path, "cooked", f"id,word,double\n{rows}\n")
    page = signed_in
    page.goto("collection/datasets/cooked?tab=recipe")
    page.get_by_role("button", name="Add a step").click()
    page.get_by_role("menuitem", name="Keep some rows").click()
    page.get_by_role("textbox", name="Where").fill("id < 10")
    page.get_by_role("button", name="Try").click()
    effects = page.get_by_role("table", name="What each step does")
    effects.get_by_role("row", name="Keep some rows").get_by_role("cell", name="10", exact=True).wait_for()
    axe(page)
    page.goto("collection/datasets/cooked?tab=quality")
    page.get_by_role("button", name="Suggest from this version").click()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    axe(page)
    assert client.datasets.get("cooked").expectations


def test_i1_whatever_users_name_is_text(signed_in: Page, client: aimass.Client, tmp_path: Path) -> None:
    long = "y" * 10_000
    header = f'id,"{HOSTILE}",javascript:alert(1),"{TURNED}"'
    rows = [f'{number},"{HOSTILE}","<svg onload=alert(1)>{number}",{long}' for number in range(20)]
    upload(client, tmp_path, "hostile", "\n".join([header, *rows]) + "\n")
    client.datasets.update(client.datasets.get("hostile"), description=HOSTILE)
    page = signed_in
    page.goto("collection/datasets/hostile")
    for tab in ("Profile", "Settings", "Rows"):
        page.get_by_role("tab", name=tab).click()
        page.get_by_text(HOSTILE).first.wait_for()
    # The first rows that are read bring pyarrow along, which takes a while where much else runs.
    page.get_by_text("<svg onload=alert(1)>19").wait_for(timeout=60_000)
    page.goto("collection/sql?sql=SELECT%20*%20FROM%20hostile")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("cell", name=HOSTILE).first.wait_for()
    page.get_by_role("tab", name="Chart").click()
    page.locator("canvas").wait_for()
    assert page.locator("img[src=x], svg[onload], a[href^=javascript]").count() == 0
    assert long not in page.content()
    assert "\u202e" not in page.inner_text("body")


def test_i6_somebody_elses_change_is_shown_before_it_is_lost(
    signed_in: Page, client: aimass.Client, tmp_path: Path
) -> None:
    upload(client, tmp_path, "shared", "a\n1\n")
    page = signed_in
    page.goto("collection/datasets/shared?tab=settings")
    description = page.get_by_label("Description")
    description.fill("mine")
    client.datasets.update(client.datasets.get("shared"), description="theirs")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Somebody else changed it meanwhile").wait_for()
    assert description.input_value() == "mine"
    page.get_by_role("button", name="Load theirs").click()
    description.and_(page.locator("[value=theirs]")).wait_for()
    description.fill("both")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert client.datasets.get("shared").description == "both"


def test_a_viewer_is_offered_nothing_that_would_be_refused(page: Page, client: aimass.Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "watched", "a\n1\n")
    sign_in(page, client.api_keys.create("viewer of the console", role=Role.VIEWER).secret)
    page.goto("collection/datasets/watched")
    page.get_by_role("tab", name="Profile").wait_for()
    page.get_by_text("READY").first.wait_for()
    assert page.get_by_role("button", name="Upload").count() == 0
    assert page.get_by_role("link", name="Upload").count() == 0
    assert page.get_by_role("tab", name="Recipe").count() == 0
    page.get_by_role("tab", name="Settings").click()
    assert page.get_by_label("Description").is_disabled()
    assert page.get_by_role("button", name="Delete").count() == 0


def test_i9_no_page_has_a_serious_finding(signed_in: Page, axe: Axe) -> None:
    for path in ("", "collection/datasets", "collection/sql", "collection/sources", "collection/triggers/new"):
        signed_in.goto(path)
        signed_in.get_by_role("heading", level=1).wait_for()
        axe(signed_in)


def test_the_first_page_tells_of_what_fails(signed_in: Page, client: aimass.Client, tmp_path: Path) -> None:
    path = tmp_path / "failing.csv"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(aimass.RejectedDataError):
        client.datasets.upload(path, name="failing")
    signed_in.goto("")
    signed_in.get_by_role("row", name="failing@1").get_by_text("REJECTED").wait_for()
    signed_in.get_by_role("link", name="failing@1").click()
    signed_in.get_by_role("heading", name="failing").wait_for()
