"""Compressed bodies, bombs among them, and bodies that are refused by their type."""

import gzip
import json
import tracemalloc
import zlib

import pytest

from aimass_core.errors import PayloadTooLargeError
from aimass_core.inference import transfer
from aimass_core.inference.messages import PredictionAnswer
from tests.factories.served_models import deploy
from tests.unit.predictions.bench import Bench, age, city

PATHS = ("/v2/models/adult/infer", "/v1/endpoints/adult/predict")


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id)
    return made


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_request_gets_the_same_answer(bench: Bench, encoding: str, compress: type) -> None:
    body = json.dumps({"inputs": [age(39), city("Oslo")]}).encode()
    plain = bench.send("POST", PATHS[0], body=body)
    packed = bench.send("POST", PATHS[0], body=compress(body), headers={"Content-Encoding": encoding.upper()})
    assert packed.status == 200
    assert packed.json == plain.json


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.5, gzip;q=1.0", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
    ],
)
def test_large_answer_is_compressed_as_the_client_takes_it(bench: Bench, accepted: str, encoding: str) -> None:
    rows = {"rows": [{"age": 39, "city": "Oslo"}] * 100}
    plain = bench.post(PATHS[1], rows)
    packed = bench.post(PATHS[1], rows, **{"accept-encoding": accepted})
    assert packed.headers["content-encoding"] == encoding
    assert packed.headers["vary"] == "Accept-Encoding"
    unpacked = gzip.decompress(packed.body) if encoding == "gzip" else zlib.decompress(packed.body)
    assert unpacked == plain.body
    assert len(packed.body) < len(plain.body) / 5


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0"])
def test_answer_stays_as_it_is_for_others_and_where_it_is_small(bench: Bench, accepted: str) -> None:
    rows = {"rows": [{"age": 39, "city": "Oslo"}] * 100}
    assert "content-encoding" not in bench.post(PATHS[1], rows, **{"accept-encoding": accepted}).headers
    small = bench.post(PATHS[1], {"rows": [{"age": 1}]}, **{"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers
    assert small.json["predictions"]


@pytest.mark.parametrize("path", PATHS)
def test_g2_bomb_is_refused_before_it_is_unpacked(bench: Bench, path: str) -> None:
    bomb = gzip.compress(bytes(200 * 1024**2), 9)
    assert len(bomb) < 250_000
    tracemalloc.start()
    answer = bench.send("POST", path, body=bomb, headers={"Content-Encoding": "gzip"})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status == 413
    assert peak_bytes < 100 * 1024**2


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"{}", "gzip", 400),
        (gzip.compress(b"{}")[:-4], "gzip", 400),
        (gzip.compress(b"{}") + b"more", "gzip", 400),
        (gzip.compress(b"{}") * 2, "gzip", 400),
        (zlib.compress(b"{}"), "gzip", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
    ids=["plain", "cut", "followed", "two", "zlib", "brotli", "twice"],
)
def test_g2_damaged_and_unknown_encodings_are_refused(
    bench: Bench, path: str, body: bytes, encoding: str, status: int
) -> None:
    assert bench.send("POST", path, body=body, headers={"Content-Encoding": encoding}).status == status


@pytest.mark.parametrize("path", PATHS)
def test_g2_multipart_is_refused_before_its_boundary_is_looked_at(bench: Bench, path: str) -> None:
    content_type = f"Multipart/form-data; boundary={'x' * 5_000_000}"
    answer = bench.send("POST", path, body=b"--x", headers={"Content-Type": content_type})
    assert answer.status == 415
    assert len(answer.body) < 1_000


def test_unpacked_bytes_are_bounded_exactly() -> None:
    packed = gzip.compress(b"x" * 1_000)
    assert transfer.unpack(packed, "gzip", max_bytes=1_000) == b"x" * 1_000
    with pytest.raises(PayloadTooLargeError, match="more than 999 bytes"):
        transfer.unpack(packed, "gzip", max_bytes=999)


def test_binary_answers_are_compressed_too() -> None:
    answer = transfer.pack(
        PredictionAnswer(content=bytes(5_000), content_type="application/octet-stream", headers={"x-length": "7"}),
        "gzip",
    )
    assert answer.headers["x-length"] == "7"
    assert gzip.decompress(answer.content) == bytes(5_000)
