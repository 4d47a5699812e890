"""Small files that unpack without end, and a program that uploads each and tells what became of it and of its memory.

`python -m tests.unit.core.services.ingest.bombs` prints one JSON object: reasons by name, and the peak of the memory.
"""

import gzip
import json
import resource
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from tests.unit.core.services.ingest.files import to_image, to_parquet, to_zip
from tests.unit.core.services.ingest.scene import Scene

MIB = 1024**2
# A guard for the machine that the test runs on, should a bomb go off.
_ADDRESS_SPACE_BYTES = 8 * 1024**3


def nested_zips() -> bytes:
    """As 42.zip: sixteen archives in each of five layers."""
    body = to_zip({"0.csv": b"0" * MIB})
    for _ in range(5):
        body = to_zip({f"{index}.zip": body for index in range(16)})
    return body


def overlapping_members() -> bytes:
    """The second entry of the directory points at the first member's bytes (Fifield 2019)."""
    body = bytearray(to_zip({"a.csv": b"a,b\n" * 50, "b.csv": b"a,b\n" * 50}))
    second = body.rindex(b"PK\x01\x02")
    body[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(body)


def understated_member() -> bytes:
    """The directory says 100 bytes, the member has 40 MB."""
    body = bytearray(to_zip({"a.csv": b"a,b\n" + b"1,2\n" * 10_000_000}))
    entry = body.rindex(b"PK\x01\x02")
    body[entry + 24 : entry + 28] = body[22:26] = (100).to_bytes(4, "little")
    return bytes(body)


def one_text(num_rows: int, text: str | bytes) -> pa.Array:
    """The same text in every row, held once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(num_rows, dtype=np.int32)), pa.array([text]))


def huge_png() -> bytes:
    """A header of 50,000 x 50,000 pixels before the data of few."""
    body = bytearray(to_image(0, mode="L"))
    body[16:24] = (50_000).to_bytes(4, "big") * 2
    body[29:33] = zlib.crc32(body[12:29]).to_bytes(4, "big")
    return bytes(body)


def lying_npy() -> bytes:
    """A header of 8 PB before 100 bytes."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000), }".ljust(117) + b"\n"
    return to_zip({"x.npy": b"\x93NUMPY\x01\0" + struct.pack("<H", 118) + header + b"\0" * 100})


_PNG = b"\x89PNG\r\n\x1a\n"
BOMBS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "nested zips": (nested_zips, "archive lies in another"),
    "gzip 1000:1": (lambda: gzip.compress(b"0" * (64 * MIB)), "300 times"),
    "gzip in gzip": (lambda: gzip.compress(gzip.compress(b"a,b\n1,2\n")), "archive lies in another"),
    "zip 1000:1": (lambda: to_zip({"a.csv": b"0" * (64 * MIB)}), "300 times"),
    "overlapping zip": (overlapping_members, "overlap"),
    "understated zip": (understated_member, "damaged"),
    "many tables": (lambda: to_zip({f"{index}.csv": b"a\n1\n" for index in range(2_001)}), "2,001 tables"),
    "parquet dictionary": (
        lambda: to_parquet(pa.table({"x": one_text(200_000, "y" * MIB)}), store_schema=False),
        "3,000 times",
    ),
    "parquet dictionary of images": (
        lambda: to_parquet(
            pa.table({"image": one_text(200_000, _PNG + b"y" * MIB), "label": ["a"] * 200_000}), store_schema=False
        ),
        "3,000 times",
    ),
    "parquet dictionary in lists": (
        lambda: to_parquet(
            pa.table({"x": pa.ListArray.from_arrays(range(200_001), one_text(200_000, "y" * MIB))}), store_schema=False
        ),
        "3,000 times",
    ),
    "parquet delta": (
        lambda: to_parquet(
            pa.table({"x": ["y" * MIB] * 200}), use_dictionary=False, column_encoding={"x": "DELTA_BYTE_ARRAY"}
        ),
        "3,000 times",
    ),
    "parquet runs": (
        lambda: to_parquet(
            pa.table({"x": pa.nulls(40_000_000, pa.int8())}), row_group_size=40_000_000, max_rows_per_page=40_000_000
        ),
        "3,000 times",
    ),
    "png 50k x 50k": (lambda: to_zip({"a/1.png": huge_png()}), "No image could be used"),
    "npy of 8 PB": (lying_npy, "damaged"),
    "deep objects": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "JSON object"),
    "deep lists": (lambda: b'{"a":' + b"[" * 900 + b"]" * 900 + b"}\n", "JSON object"),
    "deeper lists": (lambda: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "JSON object"),
    "schema of depth 500": (lambda: to_parquet(pa.table({"x": nested_structs(500)})), "deeply nested"),
}


def nested_structs(depth: int) -> pa.Array:
    array = pa.array([1])
    for _ in range(depth):
        array = pa.StructArray.from_arrays([array], ["a"])
    return array


def main() -> None:
    bodies = {name: build() for name, (build, _) in BOMBS.items()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES, _ADDRESS_SPACE_BYTES))
    reasons = {}
    for index, (name, body) in enumerate(bodies.items()):
        scene = Scene()
        version = scene.upload(scene.dataset(f"bomb-{index}"), body)
        reasons[name] = f"{version.status}: {version.status_reason}"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"reasons": reasons, "grown_bytes": grown * 1024}))


if __name__ == "__main__":
    main()
