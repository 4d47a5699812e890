"""The blob store over a wire that fails: what is repeated, and that a short body is never taken for a whole one."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from aimass_core.adapters.s3 import S3BlobStore
from aimass_core.bootstrap import AwsClients
from aimass_core.errors import UnavailableError

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


class _Wire:
    """What S3 sends back, answer by answer, below the real client."""

    def __init__(self, *answers: tuple[int, dict[str, str], bytes]) -> None:
        self._answers = list(answers)
        self.urls: list[str] = []

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.urls.append(request.url)
        status, headers, body = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return AWSResponse(request.url, status, headers, _Raw(body))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[_Wire], S3BlobStore]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    # Another test of the same process may have named a server.
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    def over(wire: _Wire) -> S3BlobStore:
        client = AwsClients().s3
        client.meta.events.register("before-send.s3", wire)
        return S3BlobStore(client, bucket="bucket")

    return over


def test_j2_slow_down_is_repeated(connect: Callable[[_Wire], S3BlobStore]) -> None:
    wire = _Wire((503, {}, SLOW_DOWN), (200, {"content-length": "5"}, b"bytes"))
    assert connect(wire).get("key") == b"bytes"
    assert len(wire.urls) == 2


def test_j2_slow_down_that_stays_is_unavailable_after_a_bounded_number(
    connect: Callable[[_Wire], S3BlobStore],
) -> None:
    wire = _Wire((503, {}, SLOW_DOWN))
    with pytest.raises(UnavailableError, match="blob store"):
        connect(wire).get("key")
    assert len(wire.urls) == 4


def test_j2_body_that_ends_too_early_is_no_answer(connect: Callable[[_Wire], S3BlobStore]) -> None:
    with pytest.raises(UnavailableError):
        connect(_Wire((200, {"content-length": "9"}, b"half"))).get("key")


def test_j2_body_with_other_bytes_than_its_checksum_is_no_answer(connect: Callable[[_Wire], S3BlobStore]) -> None:
    headers = {"content-length": "5", "x-amz-checksum-sha256": "A" * 43 + "="}
    with pytest.raises(UnavailableError):
        connect(_Wire((200, headers, b"bytes"))).get("key")


def test_j2_bucket_of_another_region_is_followed_there(connect: Callable[[_Wire], S3BlobStore]) -> None:
    moved = b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"
    wire = _Wire(
        (301, {"x-amz-bucket-region": "us-west-2"}, moved),
        (200, {"content-length": "5"}, b"bytes"),
    )
    assert connect(wire).get("key") == b"bytes"
    assert "us-west-2" in wire.urls[-1]
