"""What happened is told: a webhook that a rule sends, sent again by hand, and a report that is made and opened."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import aimass
from tests.browser.conftest import Axe, Picture
from tests.browser.data import upload
from tests.receivers import Receiver, receiver
from tests.stack import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

__all__ = ["receiver"]


def test_a_delivery_of_a_rule_is_shown_with_its_answer_and_sent_again(
    signed_in: Page, client: aimass.Client, receiver: Receiver, tmp_path: Path, axe: Axe, picture: Picture
) -> None:
    signed_in.goto("management/notifications?tab=channels")
    signed_in.get_by_role("button", name="Make a channel").first.click()
    dialog = signed_in.get_by_role("dialog")
    dialog.get_by_label("Name").fill("near-hook")
    dialog.get_by_label("URL").fill(receiver.url)
    dialog.get_by_role("button", name="Create").click()
    signed_in.get_by_text(re.compile("^whsec_")).wait_for()
    signed_in.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    client.notification_rules.create("near", events=["dataset_version.ready"], channels=["near-hook"])
    upload(client, tmp_path, "told", "a,b\n1,2\n3,4\n")

    signed_in.get_by_role("tab", name="Deliveries").click()
    row = signed_in.get_by_role("row", name=re.compile("told.*near-hook.*delivered"))
    row.wait_for()
    row.get_by_role("button").click()
    opened = signed_in.get_by_role("dialog")
    opened.get_by_role("row", name=re.compile("204")).wait_for()
    axe(signed_in)
    picture(signed_in, "management-delivery")
    opened.get_by_role("button", name="Send again").click()
    signed_in.get_by_text("It is being sent again.").wait_for()
    wait_until(lambda: len(receiver.came) == 2)
    first, again = receiver.came
    assert first[0]["webhook-id"] == again[0]["webhook-id"]
    assert json.loads(first[1])["type"] == "dataset_version.ready"
    client.notification_rules.delete("near")
    client.notification_channels.delete("near-hook")


def test_a_report_is_made_and_opened(signed_in: Page, axe: Axe, picture: Picture) -> None:
    signed_in.goto("management/reports")
    signed_in.get_by_role("button", name="Make a report").first.click()
    form = signed_in.get_by_role("dialog")
    form.get_by_label("Days until now").fill("2")
    form.get_by_role("button", name="Make a report").click()
    row = signed_in.get_by_role("row", name=re.compile("the workspace.*ready"))
    row.wait_for(timeout=120_000)
    axe(signed_in)
    picture(signed_in, "management-reports")
    for kind, beginning in (("HTML", b"<!doctype html>"), ("PDF", b"%PDF")):
        row.get_by_role("button", name=re.compile("Actions on the report")).click()
        with signed_in.expect_download() as download:
            signed_in.get_by_role("menuitem", name=re.compile(f"^{kind} ")).click()
        assert download.value.path().read_bytes()[: len(beginning)].lower() == beginning.lower()
