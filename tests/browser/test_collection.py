"""Data in the console: files dropped in, profiles, rows put right, queries, sources; and whatever users name."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import aimass
from aimass_core.domain.common import Role
from aimass_core.domain.datasets import MULTIPART_THRESHOLD_BYTES, PART_BYTES
from aimass_core.errors import NotFoundError
from tests.browser.conftest import Axe, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

HOSTILE = "<img src=x onerror=alert(1)>"
TURNED = "a\u202egpj.exe"


def upload(client: aimass.Client, folder: Path, name: str, text: str) -> None:
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    client.datasets.upload(path, name=name)


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


def test_an_upload_that_is_cancelled_leaves_nothing(signed_in: Page, client: aimass.Client) -> None:
    page = signed_in
    held: list[Route] = []
    page.route("**/*X-Amz-Signature=*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto("collection/upload")
    drop(page, "cancelled.csv", b"a\n1\n")
    page.get_by_role("button", name="Upload 1 file").click()
    with page.expect_request(lambda request: request.method == "PUT"):
        pass
    page.get_by_role("button", name="Cancel cancelled.csv").click()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        pass
    page.get_by_text("Cancelled", exact=True).wait_for()
    (upload,) = client.http.request("GET", "/v1/datasets/cancelled/uploads")["items"]
    assert upload["status"] == "EXPIRED"


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
    page.get_by_role("img", name="Chart of 100000 rows").locator("canvas").wait_for()
    page.reload()
    table.get_by_role("cell", name="102399", exact=True).wait_for()


def test_i1_whatever_users_name_is_text(signed_in: Page, client: aimass.Client, tmp_path: Path) -> None:
    long = "y" * 10_000
    header = f'id,"{HOSTILE}",javascript:alert(1),"{TURNED}"'
    rows = [f'{number},"{HOSTILE}","<svg onload=alert(1)>{number}",{long}' for number in range(20)]
    upload(client, tmp_path, "hostile", "\n".join([header, *rows]) + "\n")
    client.datasets.update(client.datasets.get("hostile"), description=HOSTILE)
    page = signed_in
    page.goto("collection/datasets/hostile")
    for tab in ("Profile", "Versions", "Quality", "Lineage", "Settings", "Rows"):
        page.get_by_role("tab", name=tab).click()
        page.get_by_text(HOSTILE).first.wait_for()
    page.get_by_text("<svg onload=alert(1)>19").wait_for()
    page.goto("collection/sql?sql=SELECT%20*%20FROM%20hostile")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("cell", name=HOSTILE).first.wait_for()
    page.get_by_role("tab", name="Chart").click()
    page.locator("canvas").wait_for()
    assert page.locator("img[src=x], svg[onload], a[href^=javascript]").count() == 0
    assert long not in page.content()
    assert "\u202e" not in page.inner_text("body")


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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server with one file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "shop.csv").write_text("order,amount\n1,2.5\n2,3.5\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "site"))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the base class
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/shop.csv"
        server.shutdown()


def test_a_source_is_made_run_and_looked_at(signed_in: Page, client: aimass.Client, site: str, axe: Axe) -> None:
    page = signed_in
    page.goto("collection/sources/new")
    page.get_by_label("Name", exact=True).fill("shop")
    page.get_by_label("Urls").fill(site)
    axe(page)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="shop").wait_for()
    page.get_by_role("button", name="Run now").click()
    page.get_by_role("tab", name="Secrets").click()
    page.get_by_label("Name", exact=True).fill("TOKEN")
    page.get_by_label("Value", exact=True).fill("s3cret")
    page.get_by_role("button", name="Set the secret").click()
    page.get_by_text("TOKEN is set.").wait_for()
    page.get_by_role("tab", name="Access").click()
    page.get_by_role("textbox", name="Workspace or API key").fill("ws_000000000000000000000000000")
    page.get_by_role("button", name="Grant", exact=True).click()
    page.get_by_text("Not found").wait_for()
    page.get_by_role("tab", name="Runs").click()
    runs = page.get_by_role("table", name="Runs")
    runs.get_by_text("SUCCEEDED").wait_for(timeout=60_000)
    axe(page)
    runs.get_by_role("button", name="Logs").click()
    page.get_by_role("dialog").locator("pre").wait_for()
    assert "s3cret" not in page.content()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Health").click()
    page.get_by_role("table", name="Datasets").get_by_role("link").click()
    page.get_by_role("heading", level=1).wait_for()
    assert client.sources.get("shop").secrets == ["TOKEN"]


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
