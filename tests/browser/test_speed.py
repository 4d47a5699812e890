"""How quick the console is, printed as a table: `make test-browser BROWSER="-k speed -s"`.

FAULTS I7. Nothing is asserted on time.
"""

from __future__ import annotations

import itertools
import re
import statistics
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

import aimass
from tests.browser.data import upload

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.benchmark]

NUM_COLUMNS = 10
WATCH_FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = (now) => { window.frames_.push(now - last); last = now; window.ticking_ = requestAnimationFrame(tick); };
  window.ticking_ = requestAnimationFrame(tick);
}"""
TAKE_FRAMES = "() => { cancelAnimationFrame(window.ticking_); return window.frames_.slice(1); }"
WATCH_CURVE = """() => {
  window.shown_ = [];
  const look = () => {
    const label = document.querySelector('[role=img][aria-label^="log_loss over steps"]')?.ariaLabel;
    if (label && window.shown_.at(-1)?.[1] !== label) window.shown_.push([Date.now(), label]);
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def frames(page: Page, act: Any) -> str:
    page.evaluate(WATCH_FRAMES)
    act()
    page.wait_for_timeout(200)
    found = page.evaluate(TAKE_FRAMES)
    return f"{len(found):4d} frames, median {statistics.median(found):6.1f} ms, longest {max(found):6.1f} ms"


def test_i7_speed_of_a_table_and_of_charts_of_a_hundred_thousand_rows_and_a_million_points(
    signed_in: Page, client: aimass.Client, tmp_path: Path
) -> None:
    upload(client, tmp_path, "wide", "n\n" + "\n".join(str(number) for number in range(320)) + "\n")
    page = signed_in
    columns = ", ".join(
        f"sin((a.n * 320 + b.n) / {50.0 + 7 * each}) * {each + 1} as c{each}" for each in range(NUM_COLUMNS)
    )
    page.goto("collection/sql")
    page.get_by_role("textbox", name="SQL of the query").click()
    page.keyboard.insert_text(
        f"select a.n * 320 + b.n as number, {columns} from wide a, wide b order by 1 limit 100000"
    )
    page.keyboard.press("Control+Enter")
    table = page.get_by_role("table", name="Result")
    table.get_by_role("row").nth(2).wait_for()
    print()
    page.get_by_role("button", name="Load all").click()
    page.get_by_text("(100,000)").wait_for(timeout=240_000)
    turn = page.get_by_role("button", name="Page 2000")
    print(f"table, 100,000 rows: last page    {frames(page, turn.click)}")
    sort = page.get_by_role("columnheader", name="c3").get_by_role("button").first
    print(f"table, 100,000 rows: sorted       {frames(page, sort.click)}")

    page.get_by_role("tab", name="Chart").click()
    page.get_by_role("img", name="Chart of 100000 rows").locator("canvas").first.wait_for()
    for kind in ("Line", "Points"):
        choose(page, "Chart", kind)
        print(f"{kind:6}, 100,000 points: mouse over  {frames(page, lambda: hover(page))}")
        print(f"{kind:6}, 100,000 points: wheel       {frames(page, lambda: zoom(page))}")
    choose(page, "Chart", "Line")
    page.get_by_role("button", name="Values").click()
    for each in range(1, NUM_COLUMNS):
        page.get_by_role("option", name=re.compile(rf"^c{each}\b")).click()
    page.keyboard.press("Escape")
    print(f"Line, 1,000,000 points: drawn anew   {frames(page, lambda: choose(page, 'Chart', 'Line'))}")
    print(f"Line, 1,000,000 points: mouse over   {frames(page, lambda: hover(page))}")
    print(f"Line, 1,000,000 points: wheel        {frames(page, lambda: zoom(page))}")


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("button", name=label).first.click()
    page.get_by_role("option", name=re.compile(f"{option}$")).click()


def hover(page: Page) -> None:
    box = page.get_by_role("img", name="Chart of").bounding_box()
    assert box is not None
    for step in range(40):
        page.mouse.move(box["x"] + 100 + step * 15, box["y"] + 120 + step % 7)


def zoom(page: Page) -> None:
    box = page.get_by_role("img", name="Chart of").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 500, box["y"] + 150)
    for step in range(40):
        page.mouse.wheel(0, -100 if step < 20 else 100)


def test_speed_of_a_live_curve(signed_in: Page, client: aimass.Client, dataset: str) -> None:
    """From the moment at which the container told a step to the picture that shows it; a step waits a second at most
    until it is told."""
    knobs = {"epochs": 10_000, "patience": 10_000}
    job = client.jobs.train(dataset, algorithm="mlp", hyperparameters=knobs)
    signed_in.goto(f"training/jobs/{job.id}?tab=curves")
    signed_in.evaluate(WATCH_CURVE)
    signed_in.get_by_role("img", name="log_loss over steps").wait_for(timeout=240_000)
    signed_in.wait_for_timeout(15_000)
    shown = signed_in.evaluate("() => window.shown_")
    job.stop()
    told = [
        event
        for event in client.http.request("GET", f"/v1/jobs/{job.id}/events")["events"]
        if event["type"] == "metrics"
    ]
    delays, waits = [], []
    for before, event in itertools.pairwise(told):
        last = event["data"]["points"][-1]["values"]["train/log_loss"]
        at = [when for when, label in shown if f"train/log_loss: {last}" in label]
        if at:
            delays.append(at[0] / 1000 - seconds(event["at"]))
            waits.append(at[0] / 1000 - seconds(before["at"]))
    assert len(delays) >= 3
    print(f"\nlive curve, told to shown: median {statistics.median(delays):.2f} s, longest {max(delays):.2f} s")
    print(f"live curve, step to shown: longest {max(waits):.2f} s (of {len(waits)} tellings)")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
