"""The wire of the SDK: errors become classes again, retries are bounded and safe."""

from collections.abc import Callable

import httpx2
import pytest

from aimass.errors import ConfigurationError, ConnectionFailedError
from aimass.http import Http
from aimass.profiles import Profile
from aimass_core.errors import NotFoundError, QuotaExceededError, UnavailableError

Handler = Callable[[httpx2.Request], httpx2.Response]


def make_http(handler: Handler, *, api_key: str | None = "aim_x", pauses: list[float] | None = None) -> Http:
    return Http(
        Profile(base_url="http://api.test", api_key=api_key),
        timeout_seconds=1,
        max_retries=3,
        transport=httpx2.MockTransport(handler),
        sleep=(pauses if pauses is not None else []).append,
    )


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {
        "type": f"https://aimass.dev/errors/{code}",
        "title": code,
        "status": status,
        "detail": "what and what to do",
        "code": code,
        "errors": [{"location": "body.name", "message": "too long"}],
    }
    return httpx2.Response(status, json=body, headers=headers)


def test_problem_is_raised_as_the_class_that_the_server_raised() -> None:
    http = make_http(lambda _: problem(404, "not_found"))
    with pytest.raises(NotFoundError, match="what and what to do") as caught:
        http.request("GET", "/v1/jobs/x")
    assert caught.value.details[0].location == "body.name"


def test_unavailable_is_retried_and_retry_after_is_obeyed() -> None:
    answers = [problem(503, "unavailable", **{"retry-after": "7"}), httpx2.Response(200, json={"ok": True})]
    pauses: list[float] = []
    http = make_http(lambda _: answers.pop(0), pauses=pauses)
    assert http.request("GET", "/v1/system") == {"ok": True}
    assert pauses == [7.0]


def test_c6_full_quota_is_raised_at_once_with_the_time_to_wait() -> None:
    calls: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return problem(429, "quota_exceeded", **{"retry-after": "60"})

    with pytest.raises(QuotaExceededError) as caught:
        make_http(handler).request("POST", "/v1/jobs", body={})
    assert caught.value.retry_after_seconds == 60
    assert len(calls) == 1, "nobody wants to wait for that unasked"


def test_c6_rate_limit_is_waited_for_and_raised_when_it_stays() -> None:
    pauses: list[float] = []
    http = make_http(lambda _: problem(429, "quota_exceeded", **{"retry-after": "4"}), pauses=pauses)
    with pytest.raises(QuotaExceededError) as caught:
        http.request("POST", "/v1/jobs", body={})
    assert pauses == [4, 4, 4]
    assert caught.value.retry_after_seconds == 4


@pytest.mark.parametrize("header", ["soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 5000, "\u0663"])
def test_retry_after_that_is_no_number_of_seconds_is_ignored(header: str) -> None:
    answers = [
        httpx2.Response(503, headers={"retry-after": header.encode()}),
        httpx2.Response(200, json={}),
    ]
    pauses: list[float] = []
    assert make_http(lambda _: answers.pop(0), pauses=pauses).request("GET", "/v1/system") == {}
    assert 0 <= pauses[0] < 2


def test_retries_are_bounded() -> None:
    calls: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return problem(503, "unavailable")

    with pytest.raises(UnavailableError):
        make_http(handler).request("GET", "/v1/system")
    assert len(calls) == 4


def test_c1_post_is_repeated_with_the_same_idempotency_key_after_a_lost_answer() -> None:
    seen: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["idempotency-key"])
        if len(seen) == 1:
            raise httpx2.ReadTimeout("lost")
        return httpx2.Response(201, json={"id": "job"})

    assert make_http(handler).request("POST", "/v1/jobs", body={}) == {"id": "job"}
    assert len(set(seen)) == 1
    assert len(seen) == 2


def test_request_in_progress_is_waited_for() -> None:
    answers = [problem(409, "in_progress", **{"retry-after": "1"}), httpx2.Response(201, json={})]
    assert make_http(lambda _: answers.pop(0)).request("POST", "/v1/jobs", body={}) == {}


def test_unreachable_server_names_the_next_step() -> None:
    def handler(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(ConnectionFailedError, match="aimass local up"):
        make_http(handler).request("GET", "/v1/system")


def test_no_key_is_a_configuration_error_and_nothing_is_sent() -> None:
    def handler(_: httpx2.Request) -> httpx2.Response:
        raise AssertionError("sent")

    with pytest.raises(ConfigurationError, match="AIMASS_API_KEY"):
        make_http(handler, api_key=None).request("GET", "/v1/system")


def test_presigned_requests_do_not_carry_the_api_key() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    make_http(handler).send_signed("PUT", "http://s3.test/key", content=lambda: b"x", headers={"if-none-match": "*"})
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["if-none-match"] == "*"


def test_html_answer_is_explained() -> None:
    http = make_http(lambda _: httpx2.Response(200, text="<html>"))
    with pytest.raises(ConnectionFailedError, match="address of an AI Mass API"):
        http.request("GET", "/v1/system")
