"""The blob store on S3 passes the contract, and its signed URLs allow nothing but what was signed."""

import base64
import hashlib
import time
from collections.abc import Mapping
from uuid import uuid4

import httpx2
import pytest

from aimass_core.adapters.s3 import S3BlobStore
from aimass_core.bootstrap import AwsClients
from aimass_core.ports import BlobStore, SignedUrl
from tests.contracts.blob_store import BlobStoreContract

BODY = b"hello, world"


@pytest.fixture(scope="module")
def bucket(clients: AwsClients) -> str:
    name = f"bucket-{uuid4().hex}"
    clients.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": clients.s3.meta.region_name})
    return name


@pytest.fixture
def blobs(clients: AwsClients, bucket: str) -> S3BlobStore:
    return S3BlobStore(clients.s3, bucket=bucket)


@pytest.fixture
def key() -> str:
    return f"uploads/{uuid4().hex}"


class TestS3BlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self, clients: AwsClients, bucket: str) -> BlobStore:
        return S3BlobStore(clients.s3, bucket=bucket)

    def send(self, blobs: BlobStore, signed: SignedUrl, body: bytes) -> int:
        return _send(signed, body)


def test_a_body_of_another_length_is_refused(blobs: S3BlobStore, key: str) -> None:
    signed = _sign(blobs, key)
    longer = {**signed.headers, "content-length": str(len(BODY) + 1)}
    assert _send(signed, BODY + b"!", headers=longer) == 403
    assert blobs.head(key) is None


@pytest.mark.parametrize("dropped", ["if-none-match", "x-amz-checksum-sha256"])
def test_a_dropped_header_is_refused(blobs: S3BlobStore, key: str, dropped: str) -> None:
    signed = _sign(blobs, key)
    kept = {name: value for name, value in signed.headers.items() if name != dropped}
    assert _send(signed, BODY, headers=kept) == 403
    assert blobs.head(key) is None


def test_the_checksum_of_other_bytes_does_not_fit_the_signature(blobs: S3BlobStore, key: str) -> None:
    signed = _sign(blobs, key)
    other = b"x" * len(BODY)
    checksum = base64.b64encode(hashlib.sha256(other).digest()).decode()
    assert _send(signed, other, headers={**signed.headers, "x-amz-checksum-sha256": checksum}) == 403


def test_a_signed_url_is_for_one_key_one_bucket_and_one_method(blobs: S3BlobStore, key: str, bucket: str) -> None:
    signed = _sign(blobs, key)
    for url in (signed.url.replace(key, f"{key}x"), signed.url.replace(bucket, f"{bucket}x")):
        assert _send(SignedUrl(method="PUT", url=url, headers=signed.headers), BODY) in (403, 404)
    assert httpx2.get(signed.url).status_code == 403
    assert httpx2.delete(signed.url).status_code == 403
    assert blobs.head(key) is None


def test_an_expired_url_is_refused(blobs: S3BlobStore, key: str) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    signed = blobs.sign_put(key, num_bytes=len(BODY), sha256=digest, expires_seconds=1)
    deadline = time.monotonic() + 120
    # The first bytes are refused (the object is not made by them), until the time is over.
    wrong = b"x" * len(BODY)
    while _send(signed, wrong) == 400:
        assert time.monotonic() < deadline
    assert _send(signed, BODY) == 403
    assert blobs.head(key) is None


def test_a_replay_keeps_the_first_bytes(blobs: S3BlobStore, key: str) -> None:
    signed = _sign(blobs, key)
    assert _send(signed, BODY) == 200
    first = blobs.head(key)
    assert _send(signed, BODY) == 412
    assert blobs.head(key) == first


def test_a_download_is_an_attachment_whatever_its_name(blobs: S3BlobStore, key: str) -> None:
    blobs.put(key, b"<script>alert(1)</script>", content_type="text/html")
    answer = httpx2.get(blobs.sign_get(key, expires_seconds=60, download_name='a"\r\nx: y;\u2603.html'))
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''a%22%0D%0Ax%3A%20y%3B%E2%98%83.html")
    assert "x" not in answer.headers


def test_part_urls_are_for_one_part_of_one_length(blobs: S3BlobStore, key: str) -> None:
    multipart = blobs.create_multipart(key)
    signed = blobs.sign_part(key, multipart, 1, num_bytes=len(BODY), expires_seconds=60)
    longer = {**signed.headers, "content-length": str(len(BODY) + 1)}
    assert _send(signed, BODY + b"!", headers=longer) == 403
    moved = SignedUrl(method="PUT", url=signed.url.replace("partNumber=1", "partNumber=2"), headers=signed.headers)
    assert _send(moved, BODY) == 403
    assert list(blobs.list_parts(key, multipart)) == []


def _sign(blobs: S3BlobStore, key: str) -> SignedUrl:
    return blobs.sign_put(key, num_bytes=len(BODY), sha256=hashlib.sha256(BODY).hexdigest(), expires_seconds=60)


def _send(signed: SignedUrl, body: bytes, *, headers: Mapping[str, str] | None = None) -> int:
    sent = dict(signed.headers if headers is None else headers)
    return httpx2.request(signed.method, signed.url, content=body, headers=sent).status_code
