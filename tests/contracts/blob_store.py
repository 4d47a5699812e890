"""What every blob store does. A test module subclasses this with its own `blobs` fixture."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from aimass_core.ports import BlobNotFoundError, BlobStore, SignedUrl

MIB = 1024**2


class BlobStoreContract:
    """The suite. `send` is what a client does with a signed request; it returns the HTTP status."""

    @pytest.fixture
    def blobs(self) -> BlobStore:
        """The store under test, empty or shared."""
        raise NotImplementedError

    @pytest.fixture
    def key(self) -> str:
        """A key of this test's own, with what a person might put into a name."""
        return f"contract/{uuid4().hex}/a b+c=d&e%2f\u2603.bin"

    def send(self, blobs: BlobStore, signed: SignedUrl, body: bytes) -> int:
        """Redeems a signed request as it was given."""
        raise NotImplementedError

    def test_bytes_come_back_as_they_were_written(self, blobs: BlobStore, key: str) -> None:
        body = bytes(range(256)) * 10
        info = blobs.put(key, body, content_type="application/json")
        assert blobs.get(key) == body
        assert blobs.read(key) == (blobs.head(key), body)
        assert (info.key, info.num_bytes) == (key, len(body))
        assert info.sha256 == hashlib.sha256(body).hexdigest()

    def test_head_tells_what_put_told(self, blobs: BlobStore, key: str) -> None:
        info = blobs.put(key, b"abc")
        found = blobs.head(key)
        assert found is not None
        assert (found.key, found.num_bytes, found.etag, found.sha256) == (key, 3, info.etag, info.sha256)
        assert abs(found.modified_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert abs(found.modified_at - info.modified_at) < timedelta(seconds=5)

    def test_an_empty_object_is_an_object(self, blobs: BlobStore, key: str) -> None:
        blobs.put(key, b"")
        assert blobs.get(key) == b""

    def test_a_put_replaces(self, blobs: BlobStore, key: str) -> None:
        first = blobs.put(key, b"first")
        second = blobs.put(key, b"second")
        assert blobs.get(key) == b"second"
        assert first.etag != second.etag

    def test_what_is_not_there(self, blobs: BlobStore, key: str, tmp_path: Path) -> None:
        assert blobs.head(key) is None
        for read in (
            lambda: blobs.get(key),
            lambda: blobs.download(key, tmp_path / "file"),
            lambda: blobs.copy(key, f"{key}-copy"),
        ):
            with pytest.raises(BlobNotFoundError):
                read()
        assert not (tmp_path / "file").exists()

    def test_delete_may_be_repeated(self, blobs: BlobStore, key: str) -> None:
        blobs.put(key, b"abc")
        blobs.delete(key)
        blobs.delete(key)
        assert blobs.head(key) is None

    def test_all_of_a_prefix_are_deleted_and_nothing_beside_it(self, blobs: BlobStore, key: str) -> None:
        for name in ("a/1", "a/2", "ab"):
            blobs.put(f"{key}/{name}", b"x")
        assert blobs.delete_all(f"{key}/a/") == 2
        assert blobs.delete_all(f"{key}/a/") == 0
        assert [info.key for info in blobs.list(f"{key}/")] == [f"{key}/ab"]

    def test_list_gives_every_object_of_a_prefix_in_order(self, blobs: BlobStore, key: str) -> None:
        prefix = key.rpartition("/")[0]
        for name in ("b", "a", "c/d"):
            blobs.put(f"{prefix}/{name}", name.encode())
        blobs.put(f"{prefix}x", b"not under it")
        assert [(found.key, found.num_bytes) for found in blobs.list(f"{prefix}/")] == [
            (f"{prefix}/a", 1),
            (f"{prefix}/b", 1),
            (f"{prefix}/c/d", 3),
        ]

    def test_list_goes_past_a_thousand(self, blobs: BlobStore, key: str) -> None:
        for number in range(1_003):
            blobs.put(f"{key}/{number:04d}", b"")
        found = [found.key for found in blobs.list(f"{key}/")]
        assert found == [f"{key}/{number:04d}" for number in range(1_003)]

    def test_a_copy_has_the_same_bytes(self, blobs: BlobStore, key: str) -> None:
        original = blobs.put(key, b"abc")
        blobs.copy(key, f"{key}-copy")
        copied = blobs.head(f"{key}-copy")
        assert blobs.get(f"{key}-copy") == b"abc"
        assert copied is not None
        assert copied.sha256 == original.sha256

    def test_a_file_goes_up_and_comes_down(self, blobs: BlobStore, key: str, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(b"0123456789" * 1000)
        assert blobs.upload(source, key).num_bytes == 10_000
        blobs.download(key, target)
        assert target.read_bytes() == source.read_bytes()

    def test_a_signed_put_brings_exactly_the_bytes(self, blobs: BlobStore, key: str) -> None:
        body = b"hello"
        assert self.send(blobs, _sign(blobs, key, body), body) == 200
        found = blobs.head(key)
        assert found is not None
        assert found.sha256 == hashlib.sha256(body).hexdigest()

    def test_a_signed_put_refuses_other_bytes(self, blobs: BlobStore, key: str) -> None:
        signed = _sign(blobs, key, b"hello")
        assert self.send(blobs, signed, b"jello") == 400
        assert blobs.head(key) is None
        assert self.send(blobs, signed, b"hello") == 200

    def test_a_signed_put_is_good_for_one_object(self, blobs: BlobStore, key: str) -> None:
        signed = _sign(blobs, key, b"hello")
        assert self.send(blobs, signed, b"hello") == 200
        assert self.send(blobs, signed, b"hello") == 412

    def test_a_multipart_upload(self, blobs: BlobStore, key: str) -> None:
        bodies = [b"a" * 5 * MIB, b"b" * 5 * MIB, b"c"]
        multipart = blobs.create_multipart(key)
        for number, body in reversed(list(enumerate(bodies, start=1))):
            signed = blobs.sign_part(key, multipart, number, num_bytes=len(body), expires_seconds=60)
            assert self.send(blobs, signed, body) == 200
        assert blobs.head(key) is None
        parts = blobs.list_parts(key, multipart)
        assert [(part.number, part.num_bytes) for part in parts] == [(1, 5 * MIB), (2, 5 * MIB), (3, 1)]
        info = blobs.complete_multipart(key, multipart, parts)
        assert info.num_bytes == 10 * MIB + 1
        assert blobs.get(key) == b"".join(bodies)
        again = blobs.complete_multipart(key, multipart, parts)
        assert again.etag == info.etag

    def test_a_part_that_comes_twice_counts_once(self, blobs: BlobStore, key: str) -> None:
        multipart = blobs.create_multipart(key)
        for body in (b"first", b"other"):
            signed = blobs.sign_part(key, multipart, 1, num_bytes=5, expires_seconds=60)
            assert self.send(blobs, signed, body) == 200
        blobs.complete_multipart(key, multipart, blobs.list_parts(key, multipart))
        assert blobs.get(key) == b"other"

    def test_an_aborted_upload_is_gone(self, blobs: BlobStore, key: str) -> None:
        multipart = blobs.create_multipart(key)
        blobs.abort_multipart(key, multipart)
        blobs.abort_multipart(key, multipart)
        with pytest.raises(BlobNotFoundError):
            blobs.list_parts(key, multipart)
        with pytest.raises(BlobNotFoundError):
            blobs.complete_multipart(key, multipart, [])
        assert blobs.head(key) is None


def _sign(blobs: BlobStore, key: str, body: bytes) -> SignedUrl:
    return blobs.sign_put(key, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), expires_seconds=60)
