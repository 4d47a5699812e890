"""The whole story by mouse and keyboard: from a file on the desk to a model that answers, and who may see it."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aimass
from tests.browser.conftest import Picture, watch
from tests.browser.test_uploads import drop
from tests.stack import Stack, wait_until, write_loans

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DATASET = "story"
MINUTES = 60_000


@pytest.mark.slow
def test_from_a_file_to_a_served_model(
    page: Page,
    browser: Browser,
    stack: Stack,
    console_url: str,
    client: aimass.Client,
    tmp_path: Path,
    picture: Picture,
) -> None:
    page.goto(stack.cli("console", "--no-open").strip())
    page.get_by_role("navigation", name="Menu").wait_for()
    page.get_by_text("Loading").first.wait_for(state="detached")
    picture(page, "01-overview")

    _bring(page, tmp_path, picture)
    _put_right(page, client, picture)
    _autotrain(page, picture)
    _read_the_report(page, picture)
    _compress(page, picture)
    _deploy_and_try(page, picture)
    _shift(page, client, picture)
    _change_while_it_serves(page, client)
    _invite(page, browser, stack, console_url, picture)
    _read_the_audit(page, picture)


def _bring(page: Page, folder: Path, picture: Picture) -> None:
    """A table of 1,200 rows, of which two have a word where a number belongs."""
    path = folder / f"{DATASET}.csv"
    write_loans(path, num_rows=1_200, seed=3)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    rows[10][0], rows[20][0] = "about forty thousand", "plenty"
    page.get_by_role("link", name="Upload", exact=True).first.click()
    drop(page, path.name, "\n".join(",".join(row) for row in rows).encode())
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_role("table", name="Uploads of this tab").get_by_text("READY").wait_for(timeout=MINUTES)
    page.get_by_role("link", name="Version 1").click()
    page.get_by_role("row", name="income").click()
    page.get_by_role("img", name="Distribution of income").first.wait_for()
    picture(page, "02-profile")


def _put_right(page: Page, client: aimass.Client, picture: Picture) -> None:
    page.get_by_role("tab", name="Quarantine").click()
    for value, income in (("about forty thousand", "40000"), ("plenty", "90000")):
        page.get_by_role("row", name=value).get_by_role("button", name="Put right").click()
        page.get_by_role("dialog").get_by_label("income", exact=True).fill(income)
        page.get_by_role("button", name="Keep this correction").click()
    picture(page, "03-quarantine")
    page.get_by_role("button", name="Replay 2 rows").click()
    page.get_by_role("link", name="in version 2").first.wait_for()
    assert client.datasets.get_version(DATASET, 2).wait().num_rows == 1_200


def _autotrain(page: Page, picture: Picture) -> None:
    page.get_by_role("link", name="Autotrain", exact=True).click()
    page.get_by_label("Dataset", exact=True).fill(DATASET)
    page.keyboard.press("Escape")
    page.get_by_label("Target").fill("repaid")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("radio", name="Small").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Time at most (minutes)").fill("1")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Go", exact=True).click()
    page.wait_for_url("**/training/studies/*")
    page.get_by_role("img", name=re.compile(r"trials\. Best:")).wait_for(timeout=MINUTES)
    picture(page, "04-autotrain")


def _read_the_report(page: Page, picture: Picture) -> None:
    page.get_by_role("link", name="job 1").click()
    page.get_by_role("tab", name="Result").click()
    page.get_by_role("link", name=f"{DATASET}@1", exact=True).first.click(timeout=3 * MINUTES)
    page.get_by_role("tab", name="Report").click()
    page.get_by_role("img", name="Confusion matrix").wait_for()
    picture(page, "05-report")


def _compress(page: Page, picture: Picture) -> None:
    page.get_by_role("button", name="Make of it").click()
    page.get_by_role("menuitem", name="Compress it").click()
    page.get_by_label("Drop at most").fill("0.05")
    page.get_by_label("Time at most (minutes)").fill("1")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=4 * MINUTES)
    page.get_by_role("tab", name="Result").click()
    page.get_by_role("table", name="What was tried").wait_for()
    picture(page, "06-compress")


def _deploy_and_try(page: Page, picture: Picture) -> None:
    page.get_by_role("link", name="Deploy a model").click()
    page.get_by_role("button", name="Model Choose a model").click()
    page.get_by_role("option", name=DATASET, exact=True).click()
    page.get_by_role("button", name="Version").click()
    page.get_by_role("option", name=re.compile(f"{DATASET}@1")).click()
    page.get_by_label("Name of the endpoint").fill(DATASET)
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.get_by_role("heading", name=DATASET, level=1).wait_for()
    page.get_by_text("ready", exact=True).wait_for()
    page.get_by_role("tab", name="Try it").click()
    page.get_by_role("spinbutton", name="income", exact=True).fill("65000")
    page.get_by_role("button", name="Predict").click()
    page.get_by_text(re.compile("answered in .* ms")).wait_for()
    picture(page, "07-try")


def _shift(page: Page, client: aimass.Client, picture: Picture) -> None:
    """The compressed version gets a share, and then everything."""
    page.get_by_role("tab", name="Serving").click()
    page.get_by_role("link", name="Deploy another version").click()
    page.get_by_role("radio", name="Canary").check()
    page.get_by_role("button", name="Deploy another version").click()
    slider = page.get_by_role("slider", name=re.compile("^Share of"))
    slider.wait_for(state="attached")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Shift the traffic").click()
    wait_until(lambda: (found := client.endpoints.get(DATASET)).rollout is not None and found.rollout.percent == 30)
    picture(page, "08-traffic")
    page.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    wait_until(lambda: client.endpoints.get(DATASET).rollout is None)


def _change_while_it_serves(page: Page, client: aimass.Client) -> None:
    """From which probability on it says yes: nobody reloads anything."""
    row = {"income": 90_000, "age": 50, "region": "north", "since": "2019-01-01"}

    def label() -> object:
        return client.endpoints.get(DATASET).predict([row]).predictions[0].label

    assert label() == "yes"
    page.get_by_role("tab", name="Settings").click()
    page.get_by_label("Threshold").fill("0.9999")
    page.get_by_role("button", name="Save").click()
    page.get_by_text(re.compile("of the settings holds within seconds")).wait_for()
    wait_until(lambda: label() == "no", seconds=20)


def _invite(page: Page, browser: Browser, stack: Stack, console_url: str, picture: Picture) -> None:
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Invite").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill("viewer@example.org")
    dialog.get_by_label("Name").fill("Vera")
    dialog.get_by_role("button", name="Invite").click()
    link = page.get_by_text(re.compile("#invitation="))
    link.wait_for()
    context = browser.new_context(base_url=console_url, locale="en-GB", viewport={"width": 1300, "height": 900})
    try:
        theirs = context.new_page()
        faults = watch(theirs, stack.url)
        theirs.goto(link.inner_text())
        theirs.get_by_role("textbox", name="Password").fill("Correct-horse-7-battery")
        theirs.keyboard.press("Enter")
        theirs.get_by_role("navigation", name="Menu").get_by_role("link", name="Endpoints").click()
        theirs.get_by_role("link", name=DATASET, exact=True).click()
        theirs.get_by_text("ready", exact=True).wait_for()
        picture(theirs, "09-viewer")
        assert theirs.get_by_role("link", name="Upload", exact=True).count() == 0
        assert theirs.get_by_role("link", name="Autotrain", exact=True).count() == 0
        assert theirs.get_by_role("link", name="Deploy another version").count() == 0
        assert theirs.get_by_role("link", name="Audit").count() == 0
        assert not faults, faults
    finally:
        context.close()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()


def _read_the_audit(page: Page, picture: Picture) -> None:
    page.get_by_role("link", name="Audit").click()
    for action in (r"^user\.create$", r"^endpoint\.", r"^job\.create$"):
        page.get_by_text(re.compile(action)).first.wait_for()
    picture(page, "10-audit")
