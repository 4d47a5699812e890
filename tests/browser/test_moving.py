"""A workspace that leaves by the console: exported, imported elsewhere, deleted with a proof."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import aimass
from aimass_core.domain.workspaces import DeletionStatus
from tests.browser.conftest import Axe, Picture, sign_in
from tests.browser.data import open_workspace, upload
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

MINUTES = 60_000


@pytest.mark.slow
def test_a_workspace_is_exported_downloaded_planned_and_imported_elsewhere(
    page: Page, browser: Browser, client: aimass.Client, stack: Stack, console_url: str, tmp_path: Path, axe: Axe
) -> None:
    here, there = open_workspace(client, "moves-out"), open_workspace(client, "moves-in")
    with stack.client(api_key=here.secret) as theirs:
        upload(theirs, tmp_path, "fruit", "name,price\napple,1.5\npear,2\n")
    sign_in(page, here.secret)
    page.goto("management/transfers")
    page.get_by_role("button", name="Export the workspace").first.click()
    form = page.get_by_role("dialog")
    form.get_by_label("The rows of datasets too").check()
    form.get_by_role("button", name="Export the workspace").click()
    page.get_by_role("row", name=re.compile("Succeeded.*with rows")).wait_for(timeout=2 * MINUTES)
    axe(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download the export of")).click()
    archive = tmp_path / "team.zip"
    download.value.save_as(archive)

    context = browser.new_context(base_url=console_url, locale="en-GB", viewport={"width": 1300, "height": 900})
    context.set_default_timeout(MINUTES)
    try:
        other = context.new_page()
        sign_in(other, there.secret)
        other.goto("management/transfers")
        other.get_by_role("button", name="Import a workspace").first.click()
        form = other.get_by_role("dialog")
        form.locator("input[type=file]").set_input_files(archive)
        form.get_by_role("button", name="Plan").click()
        plan = other.get_by_role("dialog", name="Plan of an import")
        plan.get_by_role("row", name=re.compile("fruit dataset make")).wait_for(timeout=2 * MINUTES)
        with stack.client(api_key=there.secret) as theirs:
            assert [dataset.name for dataset in theirs.datasets.list()] == [], "a plan writes nothing"
            axe(other)
            plan.get_by_role("button", name="Carry it out").click()
            done = other.get_by_role("dialog", name="Import", exact=True)
            done.get_by_text("Succeeded").wait_for(timeout=2 * MINUTES)
            done.get_by_role("row", name=re.compile("fruit dataset make")).wait_for()
            assert theirs.datasets.get_version("fruit", 1).num_rows == 2
    finally:
        context.close()


def test_h16_a_workspace_is_deleted_by_stages_and_its_page_shows_the_proof(
    page: Page, client: aimass.Client, stack: Stack, tmp_path: Path, axe: Axe, picture: Picture
) -> None:
    doomed = open_workspace(client, "doomed")
    sign_in(page, doomed.secret)
    page.goto("management/transfers")
    for grace in ("48", "0"):
        page.get_by_role("button", name="Delete the workspace").click()
        form = page.get_by_role("dialog")
        button = form.get_by_role("button", name="Delete the workspace")
        assert button.is_disabled()
        form.get_by_label("Write doomed to confirm").fill("doomed")
        form.get_by_label("Hours until then").fill(grace)
        button.click()
        page.get_by_text("It is going to be deleted").wait_for()
        if grace == "48":
            page.get_by_role("button", name="Keep it").click()
            page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
            page.get_by_text("It stays.").wait_for()
    with stack.client(api_key=doomed.secret) as theirs:

        def is_done() -> bool:
            stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
            return theirs.workspaces.get_deletion().status is not DeletionStatus.SCHEDULED

        wait_until(is_done)
        # Its key is a viewer's by now: the page leaves out what it may not do, and goes on telling.
        page.reload()
        page.get_by_text(re.compile("It is being deleted|Nothing is left of it")).wait_for()
        assert page.get_by_role("button", name="Export the workspace").count() == 0

        def is_empty() -> bool:
            stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
            return theirs.workspaces.get_deletion().empty_since is not None

        wait_until(is_empty)
        assert not any(theirs.workspaces.get_deletion().remaining.values())
    page.get_by_text("Nothing found since").wait_for()
    axe(page)
    picture(page, "management-deletion")
