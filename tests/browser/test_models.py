"""Models in the console: versions, card, report, lineage, comparison, import."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aimass
from aimass_core.domain.models import ArtifactName
from tests.browser.conftest import Axe, Picture
from tests.browser.trained import MODEL

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from aimass.resources.jobs import Job

HOSTILE = '<img src=x onerror="document.title=1"> \u202e javascript:alert(1)'


def test_i6_a_second_editor_sees_the_conflict_and_loads_what_is_there(
    signed_in: Page, client: aimass.Client, trained: list[Job]
) -> None:
    signed_in.goto("models/console-loans")
    signed_in.get_by_role("button", name="Edit the description").click()
    field = signed_in.get_by_role("dialog").get_by_label("Description")
    field.fill("mine")
    client.models.update(client.models.get("console-loans"), description=HOSTILE)
    signed_in.get_by_role("button", name="Save").click()
    signed_in.get_by_text("Somebody else changed it meanwhile").wait_for()
    assert field.input_value() == "mine"
    signed_in.get_by_role("button", name="Load theirs").click()
    signed_in.wait_for_function("(text) => document.querySelector('textarea').value === text", arg=HOSTILE)
    field.fill(f"{HOSTILE} and mine")
    signed_in.get_by_role("button", name="Save").click()
    # I1: what a user wrote is text.
    signed_in.get_by_text(f"{HOSTILE} and mine").wait_for()
    assert signed_in.locator("img[src='x']").count() == 0
    assert client.models.get("console-loans").description == f"{HOSTILE} and mine"


def test_a_version_is_rejected_with_a_note_and_found_by_it(
    signed_in: Page, client: aimass.Client, trained: list[Job], axe: Axe
) -> None:
    signed_in.goto(f"models/{MODEL}/versions/1")
    signed_in.get_by_text("not decided").wait_for()
    signed_in.get_by_role("button", name="Reject").click()
    form = signed_in.get_by_role("dialog")
    form.get_by_label("Why").fill(HOSTILE)
    axe(signed_in)
    form.get_by_role("button", name="Reject").click()
    signed_in.get_by_text(re.compile("^Rejected by ")).wait_for()
    signed_in.get_by_text("<img src=x onerror").wait_for()
    decided = client.models.get_version(MODEL, 1).approval
    assert decided is not None
    assert (str(decided.decision), decided.note) == ("rejected", HOSTILE)
    signed_in.goto(f"models/{MODEL}")
    signed_in.get_by_role("row", name=re.compile("@2.*not decided")).wait_for()
    signed_in.get_by_role("button", name="Approval All").click()
    signed_in.get_by_role("option", name="rejected").click()
    signed_in.get_by_role("row", name=re.compile("@1.*rejected")).wait_for()
    assert signed_in.get_by_role("row", name=re.compile("@2")).count() == 0
    signed_in.get_by_role("link", name="@1").click()
    signed_in.get_by_role("button", name="Approve").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Approve").click()
    signed_in.get_by_text(re.compile("^Approved by ")).wait_for()


def test_versions_are_compared_and_followed_to_where_they_come_from(
    signed_in: Page, trained: list[Job], picture: Picture
) -> None:
    signed_in.goto("models/console-loans")
    signed_in.get_by_role("checkbox", name="@1", exact=True).check()
    signed_in.get_by_role("checkbox", name="@2", exact=True).check()
    signed_in.get_by_role("button", name="Compare").click()
    signed_in.get_by_role("row", name="hyperparameters.num_rounds 20 40").wait_for()
    signed_in.go_back()
    signed_in.get_by_role("tab", name="Over time").click()
    signed_in.get_by_role("img", name="roc_auc and latency").wait_for()
    signed_in.get_by_role("tab", name="Versions").click()
    signed_in.get_by_role("link", name="@2").click()
    signed_in.get_by_role("tab", name="Lineage").click()
    signed_in.get_by_role("img", name="Where console-loans@2 comes from").wait_for()
    picture(signed_in, "models-lineage")
    signed_in.get_by_role("link", name=trained[1].id).click()
    signed_in.wait_for_url(f"**/training/jobs/{trained[1].id}")


def test_a_model_is_imported(signed_in: Page, client: aimass.Client, trained: list[Job], tmp_path: Path) -> None:
    version = client.models.get_version("console-loans", 1)
    model = version.download(ArtifactName.MODEL, tmp_path / "Kredit Größe.onnx")
    signature = version.download(ArtifactName.SIGNATURE, tmp_path / "signature.json")
    signed_in.goto("models/new/import")
    inputs = signed_in.locator("input[type=file]")
    inputs.nth(0).set_input_files(model)
    assert signed_in.get_by_label("Name of the model").input_value() == "kredit-gr-e"
    signed_in.get_by_label("Name of the model").fill("console-import")
    inputs.nth(2).set_input_files(signature)
    signed_in.get_by_role("button", name="Import", exact=True).click()
    signed_in.wait_for_url("**/training/jobs/job_*")
    signed_in.get_by_role("link", name="console-import@1").first.wait_for(timeout=60_000)
    assert client.models.get_version("console-import", 1).signature.target == "repaid"


def test_i9_no_tab_of_a_version_has_a_serious_finding(signed_in: Page, axe: Axe, trained: list[Job]) -> None:
    signed_in.goto(f"models/{MODEL}/versions/1")
    for tab in ("Card", "Report", "Lineage", "Signature", "Files"):
        signed_in.get_by_role("tab", name=tab).click()
        axe(signed_in)


@pytest.mark.parametrize(
    "path", ["models", "models/console-loans", "models/console-loans?tab=trends", "models/new/import"]
)
def test_i9_no_page_of_models_has_a_serious_finding(signed_in: Page, axe: Axe, trained: list[Job], path: str) -> None:
    signed_in.goto(path)
    signed_in.get_by_role("heading", level=1).wait_for()
    axe(signed_in)
