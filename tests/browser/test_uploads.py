"""Files dropped onto the console: sent as they are signed, paused, gone on with, cancelled."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aimass
from aimass_core.domain.datasets import MULTIPART_THRESHOLD_BYTES, PART_BYTES
from aimass_core.errors import NotFoundError
from tests.browser.conftest import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route


def test_a_file_that_is_dropped_becomes_a_version_with_a_profile(
    signed_in: Page, client: aimass.Client, axe: Axe
) -> None:
    page = signed_in
    page.goto("collection/upload")
    drop(page, "Dropped <b>Fruit</b>.csv", b"fruit,price\napple,1.5\npear,2\nplum,2.5\n")
    page.get_by_role("rowheader", name="Dropped <b>Fruit</b>.csv", exact=True).wait_for()
    axe(page)
    page.get_by_label("Dataset Dropped").fill("dropped-fruit")
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_role("table", name="Uploads of this tab").get_by_text("READY").wait_for()
    page.get_by_role("link", name="Version 1").click()
    page.get_by_role("row", name="price").click()
    page.get_by_role("img", name="Distribution of price").first.wait_for()
    axe(page)
    page.get_by_role("tab", name="Rows").click()
    page.get_by_role("cell", name="plum").wait_for()
    assert client.datasets.get("dropped-fruit").latest_version == 1


def test_an_upload_in_parts_goes_on_where_it_stopped(signed_in: Page, client: aimass.Client, tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    # Few rows, so that what is tested is the sending.
    row = "x" * 1_000_000
    path.write_text("\n".join(["n,text", *(f"{number},{row}" for number in range(70))]) + "\n")
    num_parts = -(-path.stat().st_size // PART_BYTES)
    assert path.stat().st_size > MULTIPART_THRESHOLD_BYTES
    page = signed_in
    sent: list[str] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        """The last part waits until the upload is paused."""
        if f"partNumber={num_parts}&" in f"{urlsplit(route.request.url).query}&" and not held:
            held.append(route)
        else:
            route.continue_()

    def hear(request: Request) -> None:
        if request.method == "PUT" and "partNumber=" in request.url:
            sent.append(request.url.split("partNumber=")[1].split("&")[0])

    page.route("**/*partNumber=*", hold)
    page.goto("collection/upload")
    page.on("request", hear)
    page.get_by_label("Choose files").set_input_files(path)
    page.get_by_role("button", name="Upload 1 file").click()
    pause = page.get_by_role("button", name="Pause parts.csv")
    pause.wait_for()
    (upload,) = wait_for_parts(client, "parts", num_parts - 1, page)
    pause.click()
    page.get_by_text("Paused").wait_for()
    sent.clear()
    page.get_by_role("button", name="Resume parts.csv").click()
    page.get_by_role("table", name="Uploads of this tab").get_by_role("link", name="Version 1").wait_for()
    assert sent == [str(num_parts)]
    assert client.http.request("GET", f"/v1/datasets/parts/uploads/{upload}")["status"] == "COMPLETED"


def test_an_upload_that_is_cancelled_leaves_nothing(signed_in: Page, client: aimass.Client) -> None:
    page = signed_in
    held: list[Route] = []
    page.route("**/*X-Amz-Signature=*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto("collection/upload")
    drop(page, "cancelled.csv", b"a\n1\n")
    with page.expect_request(lambda request: request.method == "PUT"):
        page.get_by_role("button", name="Upload 1 file").click()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.get_by_role("button", name="Cancel cancelled.csv").click()
    page.get_by_text("Cancelled", exact=True).wait_for()
    (upload,) = client.http.request("GET", "/v1/datasets/cancelled/uploads")["items"]
    assert upload["status"] == "EXPIRED"


def drop(page: Page, name: str, content: bytes) -> None:
    """As if it came from the desk."""
    data = page.evaluate_handle(
        """([name, content]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode("ascii")],
    )
    zone = page.get_by_text("Drop files here, or")
    for event in ("dragenter", "dragover", "drop"):
        zone.dispatch_event(event, {"dataTransfer": data})


def wait_for_parts(client: aimass.Client, dataset: str, wanted: int, page: Page) -> list[str]:
    """The uploads of which so many parts have arrived, once there are some."""
    for _ in range(200):
        page.wait_for_timeout(100)
        try:
            items = client.http.request("GET", f"/v1/datasets/{dataset}/uploads")["items"]
        except NotFoundError:
            continue
        details = [client.http.request("GET", f"/v1/datasets/{dataset}/uploads/{each['id']}") for each in items]
        done = [each["id"] for each in details if sum(part["etag"] is not None for part in each["parts"]) >= wanted]
        if done:
            return done
    raise AssertionError(f"no upload has {wanted} parts")
