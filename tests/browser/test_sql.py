"""SQL in the console, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import aimass
from tests.browser.conftest import Axe
from tests.browser.data import upload

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_i7_a_hundred_thousand_rows_are_paged_sorted_and_drawn(
    signed_in: Page, client: aimass.Client, tmp_path: Path, axe: Axe
) -> None:
    upload(client, tmp_path, "tall", "n\n" + "\n".join(str(number) for number in range(320)) + "\n")
    page = signed_in
    page.goto("collection/sql")
    page.get_by_role("textbox", name="SQL of the query").click()
    page.keyboard.type("select a.n * 320 + b.n as number, b.n as part from tall a, tall b order by 1 desc limit 100000")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    table = page.get_by_role("table", name="Result")
    table.get_by_role("cell", name="102399", exact=True).wait_for()
    axe(page)
    page.get_by_role("button", name="Load all").click()
    page.get_by_text("(100,000)").wait_for(timeout=60_000)
    assert table.get_by_role("row").count() <= 51
    page.get_by_role("button", name="Page 2000").click()
    table.get_by_role("cell", name="2400", exact=True).wait_for()
    page.get_by_role("columnheader", name="number").get_by_role("button").first.click()
    table.get_by_role("cell", name="2400", exact=True).wait_for()
    page.get_by_role("tab", name="Chart").click()
    page.get_by_role("img", name="Chart of 100000 rows").locator("canvas").first.wait_for()
    page.reload()
    table.get_by_role("cell", name="102399", exact=True).wait_for()


def test_i2_files_are_saved_and_never_opened(signed_in: Page, client: aimass.Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "saved", "page\n<html><script>alert(1)</script></html>\n=1+1\n")
    page = signed_in
    page.goto("collection/datasets/saved?tab=rows")
    with page.expect_download() as rows:
        page.get_by_role("button", name="CSV").click()
    assert rows.value.suggested_filename == "saved-1.csv"
    assert "'=1+1" in Path(rows.value.path()).read_text()
    page.goto("collection/sql?sql=SELECT%20*%20FROM%20saved")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Save as").click()
    with page.expect_download() as parquet:
        page.get_by_role("menuitem", name="Parquet").click()
    assert Path(parquet.value.path()).read_bytes()[:4] == b"PAR1"
    assert "/console/collection/sql" in page.url


def test_what_was_written_ends_with_the_session(signed_in: Page) -> None:
    page = signed_in
    page.goto("collection/sql")
    editor = page.get_by_role("textbox", name="SQL of the query")
    editor.click()
    page.keyboard.type("select secret")
    page.reload()
    editor.filter(has_text="select secret").wait_for()
    page.get_by_role("button", name="default").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("button", name="API key").wait_for()
    assert page.evaluate("sessionStorage.length") == 0
