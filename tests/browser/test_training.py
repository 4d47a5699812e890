"""Training in the console: forms, jobs as they run, studies, comparison."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

import aimass
from aimass.resources.jobs import Job
from tests.browser.conftest import Axe, Picture
from tests.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

PAGES = (
    "jobs",
    "studies",
    "train",
    "autotrain",
    "search",
    "compress",
    "fuse",
    "decompose",
    "prepare",
    "compare",
)


def test_i8_a_double_click_submits_one_job_whose_curves_appear_while_it_runs(
    signed_in: Page, client: aimass.Client, dataset: str, picture: Picture
) -> None:
    before = {job.id for job in client.jobs.list()}
    signed_in.goto(f"training/train?dataset={dataset}")
    signed_in.get_by_role("button", name="Algorithm").click()
    signed_in.get_by_role("option", name="mlp").click()
    signed_in.get_by_role("button", name="Hyperparameters").click()
    signed_in.get_by_label("Epochs", exact=True).fill("10000")
    signed_in.get_by_label("Patience", exact=True).fill("10000")
    signed_in.get_by_role("button", name="Estimate").click()
    signed_in.get_by_text("an hour").wait_for()
    signed_in.get_by_role("button", name="Submit").dblclick()
    signed_in.get_by_role("tab", name="Curves").click()
    # A container that imports torch, on a machine that has much else to do.
    signed_in.get_by_role("img", name="log_loss over steps").wait_for(timeout=240_000)
    assert signed_in.get_by_text("Running", exact=True).is_visible()
    picture(signed_in, "training-live")
    made = [job for job in client.jobs.list() if job.id not in before]
    assert len(made) == 1
    signed_in.get_by_role("button", name="Stop").click()
    signed_in.get_by_role("dialog").get_by_role("button", name="Stop").click()
    signed_in.get_by_text("Stopped", exact=True).wait_for(timeout=120_000)
    signed_in.get_by_role("button", name="Retry").wait_for()


def test_i10_curves_and_log_go_on_without_a_gap_where_the_api_is_away(
    signed_in: Page, stack: Stack, client: aimass.Client, trained: list[Job]
) -> None:
    job = trained[0]
    asked = itertools.count()

    def answer(route: Route) -> None:
        """Every other request is lost, and answers are short."""
        if next(asked) % 2:
            route.abort()
            return
        url = urlsplit(route.request.url)
        query = dict(parse_qsl(url.query)) | ({"limit": "4"} if url.path.endswith("/logs") else {})
        route.continue_(url=url._replace(query=urlencode(query)).geturl())

    signed_in.route(f"{stack.url}/v1/jobs/{job.id}/*", answer)
    signed_in.goto(f"training/jobs/{job.id}?tab=log")
    lines = [line.message for line in client.jobs.logs(job.id)]
    assert len(lines) > 6
    log = signed_in.get_by_role("log")
    signed_in.wait_for_function(
        "([count]) => (document.querySelector('[role=log]')?.textContent ?? '').split('\\n').length >= count",
        arg=[len("\n".join(lines).split("\n"))],
        timeout=60_000,
    )
    shown = "\n".join(line.split(" ", 1)[1] if line[2:3] == ":" else line for line in log.inner_text().split("\n"))
    assert shown == "\n".join(lines)


def test_i6_tabs_and_filters_are_addresses(signed_in: Page, trained: list[Job]) -> None:
    signed_in.goto("training/jobs?kind=train&status=SUCCEEDED")
    signed_in.get_by_role("link", name=trained[0].id[:14]).first.click()
    signed_in.get_by_role("tab", name="Result").click()
    signed_in.get_by_role("img", name="Confusion matrix").wait_for()
    signed_in.reload()
    signed_in.get_by_role("img", name="Confusion matrix").wait_for()
    signed_in.go_back()
    assert signed_in.get_by_role("tab", name="Summary").get_attribute("aria-selected") == "true"
    signed_in.go_back()
    signed_in.wait_for_url("**/training/jobs?kind=train&status=SUCCEEDED")
    signed_in.get_by_role("button", name="Kind Train").wait_for()


def test_jobs_are_compared(signed_in: Page, trained: list[Job]) -> None:
    signed_in.goto("training/compare?" + "&".join(f"job={job.id}" for job in trained))
    row = signed_in.get_by_role("row", name="hyperparameters.num_rounds 20 40")
    row.wait_for()
    signed_in.get_by_role("img", name="log_loss over steps").wait_for()


def test_autotrain_by_the_wizard(
    signed_in: Page, client: aimass.Client, dataset: str, axe: Axe, picture: Picture
) -> None:
    signed_in.goto("training/autotrain")
    signed_in.get_by_role("button", name="Next").click()
    signed_in.get_by_text("Choose a dataset first.").wait_for()
    signed_in.get_by_label("Dataset", exact=True).fill(dataset)
    signed_in.keyboard.press("Escape")
    signed_in.get_by_role("button", name="Next").click()
    signed_in.get_by_role("radio", name="Fast").check()
    axe(signed_in)
    signed_in.get_by_role("button", name="Next").click()
    signed_in.get_by_label("Time at most (minutes)").fill("1")
    signed_in.get_by_label("Trials at most").fill("2")
    signed_in.get_by_role("button", name="Next").click()
    signed_in.get_by_text("5 columns").wait_for()
    signed_in.get_by_role("button", name="Go", exact=True).click()
    signed_in.wait_for_url("**/training/studies/*")
    study = client.studies.get(signed_in.url.rsplit("/", 1)[1])
    assert study.spec.max_trials == 2
    signed_in.get_by_text("model/model.onnx").wait_for(timeout=90_000)
    signed_in.get_by_role("img", name="trials. Best:").wait_for()
    picture(signed_in, "training-study")
    signed_in.get_by_role("tab", name="Trials").click()
    signed_in.get_by_role("table", name="Trials").wait_for()


@pytest.mark.parametrize("name", PAGES)
def test_i9_no_page_has_a_serious_finding(signed_in: Page, axe: Axe, trained: list[Job], name: str) -> None:
    signed_in.goto(f"training/{name}")
    signed_in.get_by_role("heading", level=1).wait_for()
    axe(signed_in)


def test_i9_no_tab_of_a_job_has_a_serious_finding(signed_in: Page, axe: Axe, trained: list[Job]) -> None:
    signed_in.goto(f"training/jobs/{trained[0].id}")
    for tab in ("Summary", "Curves", "Result", "Log", "Artifacts"):
        signed_in.get_by_role("tab", name=tab).click()
        axe(signed_in)
