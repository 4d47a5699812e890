"""REST APIs as they are: pages, refusals, drift, crashes, parents and children, secrets that change."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.sources import SourceStatus
from aimass_core.errors import InvalidDataError
from aimass_core.services import quarantine, source_health
from batch_jobs.collect.errors import AuthFailedError, LoopError, SourceUnavailableError
from batch_jobs.collect.network import Timing
from tests.integration.collect.conftest import Asked, Server
from tests.unit.batch_jobs.collect.scene import SourceScene

MakeScene = Callable[..., SourceScene]
Answer = tuple[int, dict[str, str], bytes]
HASTY = Timing(sleep=lambda _seconds: None)
CANARY = "canary-7f3a9c-secret"


def to_json(value: Any, **headers: str) -> Answer:
    return 200, headers, json.dumps(value).encode()


def rest(server: Server, *resources: Any, **client: Any) -> dict[str, Any]:
    config = {"client": {"base_url": server.url, **client}, "resources": list(resources)}
    return {"type": "rest", "config": config}


class Orders:
    """An API with pages of 3 orders, of which every second request is refused at first."""

    def __init__(self, server: Server, num_orders: int) -> None:
        self.orders: list[dict[str, Any]] = [{"id": number, "price": number * 1.5} for number in range(num_orders)]
        self.num_refusals, self.broken_at = 2, None  # type: int, int | None
        server.answers["/orders"] = self.answer

    def answer(self, asked: Asked) -> Answer:
        if self.num_refusals:
            self.num_refusals -= 1
            return 429, {"retry-after": "1"}, b""
        offset, since = int(asked.query["offset"]), int(asked.query.get("since", 0))
        if offset == self.broken_at:
            return 500, {}, b""
        found = [order for order in self.orders if order["id"] >= since]
        return to_json({"total": len(found), "data": found[offset : offset + 3]})


def orders_source(server: Server) -> dict[str, Any]:
    endpoint = {
        "path": "orders",
        "paginator": {"type": "offset", "limit": 3, "total_path": "total"},
        "incremental": {"cursor_path": "id", "start_param": "since"},
    }
    return rest(server, {"name": "orders", "primary_key": "id", "endpoint": endpoint})


def test_b1_b2_b5_pages_refusals_a_crash_a_restart_and_drift_lose_nothing_and_double_nothing(
    server: Server, make: MakeScene
) -> None:
    api = Orders(server, 100)
    scene = make(orders_source(server))
    # 429s are waited for; then the source breaks in the middle: nothing is kept, and nothing is counted as read.
    api.broken_at = 60
    with pytest.raises(SourceUnavailableError, match="answers 500"):
        scene.collect(timing=HASTY)
    assert scene.state.streams == {}
    assert source_health.load(scene.ports, scene.record).status is SourceStatus.DEGRADED
    # The container is killed after its data is durable, and the compute service starts it again.
    api.broken_at = None
    job = scene.begin()
    metrics = scene.collect(job=job, timing=HASTY)
    assert metrics["num_rows"] == 100
    scene.collect(job=job, timing=HASTY)
    scene.end(job)
    assert scene.state.streams == {"orders": {"cursor": 99}}
    # New rows come, and one whose price is no number any more.
    api.orders += [{"id": number, "price": 1.0} for number in range(100, 130)]
    api.orders += [{"id": 130, "price": "free"}]
    scene.collect(timing=HASTY)
    assert [row["id"] for row in scene.data("shop-orders")] == list(range(130))
    version = scene.last("shop-orders")
    assert (version.status, version.num_quarantined) == (DatasetVersionStatus.READY, 1)
    refused, _ = quarantine.list_rows(scene.ports, scene.principal, "shop-orders", version.number, limit=5)
    assert [json.loads(row.text or "") for row in refused] == [{"id": 130, "price": "free"}]
    # Nothing is new.
    scene.collect(timing=HASTY)
    assert scene.last("shop-orders").number == version.number
    assert source_health.load(scene.ports, scene.record).status is SourceStatus.ACTIVE


def test_b4_a_source_that_answers_the_same_page_for_ever_is_stopped(server: Server, make: MakeScene) -> None:
    server.answers["/a"] = lambda _asked: to_json([{"id": 1}])
    paginator = {"type": "page_number"}
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a", "paginator": paginator}}))
    with pytest.raises(LoopError, match="3 pages in a row are the same"):
        scene.collect()
    assert len(server.asked) == 3
    assert scene.state.streams == {}


def test_b4_a_cursor_that_goes_round_is_stopped(server: Server, make: MakeScene) -> None:
    following = {"": "x", "x": "y", "y": "x"}

    def answer(asked: Asked) -> Answer:
        place = asked.query.get("cursor", "")
        return to_json({"data": [{"at": place, "n": len(server.asked)}], "cursors": {"next": following[place]}})

    server.answers["/a"] = answer
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a", "paginator": {"type": "cursor"}}}))
    with pytest.raises(LoopError, match="the next page is one that was read before"):
        scene.collect()


def test_children_are_read_for_each_record_of_their_parent(server: Server, make: MakeScene) -> None:
    server.answers["/issues"] = lambda _asked: to_json([{"number": 1, "title": "a/b"}, {"number": 2, "title": "c"}])
    for number in (1, 2):
        server.answers[f"/issues/{number}/comments"] = lambda asked: to_json({"items": [{"text": asked.path}]})
    server.answers["/by"] = lambda asked: to_json([{"q": asked.query["title"]}])
    resolve = {"issue": {"type": "resolve", "resource": "issues", "field": "number"}}
    scene = make(
        rest(
            server,
            {"name": "issues", "endpoint": {"path": "issues"}, "selected": False},
            {
                "name": "comments",
                "endpoint": {"path": "issues/{issue}/comments", "params": resolve, "data_selector": "items"},
                "include_from_parent": ["number"],
            },
            {"name": "by", "endpoint": {"path": "by", "params": {"title": "{resources.issues.title}"}}},
        )
    )
    metrics = scene.collect()
    assert metrics["num_streams"] == 2
    assert scene.data("shop-comments") == [
        {"text": f"/issues/{number}/comments", "_issues_number": number} for number in (1, 2)
    ]
    assert [row["q"] for row in scene.data("shop-by")] == ["a/b", "c"]
    scene.collect(streams=["by"])
    assert [asked.path for asked in server.asked[5:]] == ["/issues", "/by", "/by"]


def test_b11_a_secret_is_read_anew_once_and_never_told(
    server: Server, make: MakeScene, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    good = CANARY

    def answer(asked: Asked) -> Answer:
        return to_json([{"id": 1}]) if asked.headers.get("authorization") == f"Bearer {good}" else (401, {}, b"")

    server.answers["/a"] = answer
    auth = {"type": "bearer", "token": {"secret": "TOKEN"}}
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a"}}, auth=auth))
    scene.put_secret("TOKEN", CANARY)
    scene.collect()
    # It was revoked: one refresh, and then the source waits for another.
    good = "another"
    num_before = len(server.asked)
    with pytest.raises(AuthFailedError) as caught:
        scene.collect()
    assert len(server.asked) - num_before == 2
    assert source_health.load(scene.ports, scene.record).status is SourceStatus.AUTH_FAILED
    told = [str(caught.value), *scene.reports.messages, caplog.text, *capfd.readouterr()]
    told += [str(row.data) for row in scene.ports.registry._rows.values()]
    assert not any(CANARY in text for text in told)


@pytest.mark.parametrize(
    ("auth", "header", "query"),
    [
        ({"type": "api_key", "name": "X-Key", "api_key": {"secret": "T"}}, ("x-key", "t0ken"), {}),
        ({"type": "api_key", "name": "key", "api_key": {"secret": "T"}, "location": "query"}, None, {"key": "t0ken"}),
        (
            {"type": "http_basic", "username": "ann", "password": {"secret": "T"}},
            ("authorization", "Basic YW5uOnQwa2Vu"),
            {},
        ),
        (
            {
                "type": "oauth2_client_credentials",
                "access_token_url": "/token",
                "client_id": "id",
                "client_secret": {"secret": "T"},
            },
            ("authorization", "Bearer fresh"),
            {},
        ),
    ],
)
def test_ways_to_show_who_asks(
    server: Server, make: MakeScene, auth: dict[str, Any], header: Any, query: dict[str, str]
) -> None:
    server.answers["/a"] = lambda _asked: to_json([{"id": 1}])
    server.answers["/token"] = lambda _asked: to_json({"access_token": "fresh", "expires_in": 60})
    if "access_token_url" in auth:
        auth = auth | {"access_token_url": f"{server.url}/token"}
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a"}}, auth=auth))
    scene.put_secret("T", "t0ken")
    scene.collect()
    asked = server.asked[-1]
    assert asked.query == query
    if header is not None:
        assert asked.headers[header[0]] == header[1]


def test_an_answer_that_is_no_list_of_objects_is_explained(server: Server, make: MakeScene) -> None:
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a"}}))
    server.answers["/a"] = lambda _asked: (200, {"content-type": "text/html"}, b"<html>")
    with pytest.raises(InvalidDataError, match=r"answers no JSON \(text/html\)"):
        scene.collect()
    server.answers["/a"] = lambda _asked: to_json([1, 2])
    with pytest.raises(InvalidDataError, match="answers no list of objects"):
        scene.collect()
    server.answers["/a"] = lambda _asked: (404, {}, b"")
    with pytest.raises(SourceUnavailableError, match="answers 404"):
        scene.collect()


def test_a_next_page_elsewhere_gets_no_secrets(server: Server, make: MakeScene) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    server.answers["/a"] = lambda _asked: to_json({"data": [{"id": 1}], "next": f"{other}/b"})
    server.answers["/b"] = lambda _asked: to_json({"data": [{"id": 2}]})
    auth = {"type": "bearer", "token": {"secret": "TOKEN"}}
    scene = make(rest(server, {"name": "a", "endpoint": {"path": "a"}}, auth=auth))
    scene.put_secret("TOKEN", CANARY)
    scene.collect(allowed_hosts="127.0.0.1,localhost")
    assert [asked.headers.get("authorization") is not None for asked in server.asked] == [True, False]
    assert len(scene.data("shop-a")) == 2


def test_pages_by_a_header_in_another_encoding_than_utf8(server: Server, make: MakeScene) -> None:
    words = ["Zürich", "Genève", "Köln"]

    def answer(asked: Asked) -> Answer:
        place = int(asked.query.get("cursor", 0))
        headers = {"content-type": "application/json; charset=iso-8859-1"}
        more = {"x-next": str(place + 1)} if place + 1 < len(words) else {}
        body = json.dumps([{"id": place, "city": words[place]}], ensure_ascii=False)
        return 200, headers | more, body.encode("latin-1")

    server.answers["/cities"] = answer
    endpoint = {"path": "cities", "paginator": {"type": "header_cursor", "cursor_key": "X-Next"}}
    scene = make(rest(server, {"name": "cities", "endpoint": endpoint}))
    scene.collect()
    assert [row["city"] for row in scene.data("shop-cities")] == words
