"""Hostile archives, CSV, Parquet and JSON Lines for a dataset."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.corpus.samples import Sample, cuts, flips

CSV = b"a,b\n" + b"".join(b"%d,x%d\n" % (number, number) for number in range(50))
_MIB = 1024**2
_VALUES = {
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "1e400": "1e400",
    "400 digits": "9" * 400,
    "5,000 digits": "9" * 5_000,
    "deep lists": "[" * 5_000 + "]" * 5_000,
    "deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "100,000 deep": "[" * 100_000,
    "lone surrogate": '"\\ud800"',
    "nul": '"\\u0000"',
    "reversed pair": '"\\udc00\\ud800"',
    "2^63": "9223372036854775808",
    "prototype": '{"__proto__": {"a": 1}}',
    "mixed": '[1, "x", null, {"a": []}]',
    "long text": '"' + "x" * 2 * _MIB + '"',
}
_PATHS = {
    "dots": "../x.csv",
    "dots within": "a/../../x.csv",
    "absolute": "/etc/x.csv",
    "backslashes": "..\\..\\x.csv",
    "drive": "C:\\x.csv",
    "drive relative": "C:x.csv",
    "share": "\\\\host\\x.csv",
    "nul": "a\0.csv",
}


def archives() -> Iterator[Sample]:
    """Slips, bombs, links, wrong sums, counts, encryption."""
    yield Sample("zip as it should be", _zip({"a.csv": CSV, "b.csv": CSV}), False)
    yield Sample("gzip as it should be", gzip.compress(CSV, mtime=0), False)
    for name, path in _PATHS.items():
        yield Sample(f"zip {name}", _zip({"a.csv": CSV, path: CSV}), None if name == "nul" else True)
        if name != "nul":
            yield Sample(f"tar {name}", _tar(path), True)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        yield Sample(f"tar type {kind!r}", _tar("x.csv", kind=kind, target="/etc/passwd"), True)
    yield Sample("zip symlink", _zip_link(), True)
    yield Sample("zip twice", _zip_twice(), True)
    yield Sample("zip file and folder", _zip({"a": CSV, "a/b.csv": CSV}), True)
    body = CSV
    for depth in range(1, 6):
        body = _zip({f"{index}.zip" if depth > 1 else f"{index}.csv": body for index in range(8)})
        yield Sample(f"zip in zip {depth}", body, True if depth > 1 else None)
    for unpacked in (40, 64):
        zeros = b"0" * unpacked * _MIB
        yield Sample(f"zip of {unpacked} MiB", _zip({"a.csv": zeros}), True)
        yield Sample(f"gzip of {unpacked} MiB", gzip.compress(zeros, mtime=0), True)
        yield Sample(f"bzip2 of {unpacked} MiB", bz2.compress(zeros), True)
        yield Sample(f"xz of {unpacked} MiB", lzma.compress(zeros, preset=0), True)
    yield Sample("gzip in gzip", gzip.compress(gzip.compress(CSV, mtime=0), mtime=0))
    yield Sample("gzip wrong sum", _wrong_crc(gzip.compress(CSV, mtime=0)), True)
    yield Sample("gzip wrong length", gzip.compress(CSV, mtime=0)[:-4] + b"\1\2\3\4", True)
    yield Sample("gzip and more", gzip.compress(CSV, mtime=0) + b"garbage", True)
    for name, at, value in (("encrypted", 6, 1), ("wrong sum", 14, 0xDEAD), ("method", 8, 99), ("size", 22, 10)):
        yield Sample(f"zip {name}", _patched(at, value), True if name != "size" else None)
    yield Sample("zip of 20,000 members", _zip({f"{number}.csv": b"" for number in range(20_000)}))
    yield Sample("zip without members", _zip({}), True)
    yield Sample("zip count lies", _zip({"a.csv": CSV})[:-12] + struct.pack("<H", 9) + _zip({"a.csv": CSV})[-10:])
    yield from cuts("zip", _zip({"a.csv": CSV, "b.csv": CSV}), (0.1, 0.5, 0.9, 0.99))
    yield from cuts("gzip", gzip.compress(CSV, mtime=0), (0.1, 0.5, 0.95))
    yield from flips("zip", _zip({"a.csv": CSV}), (0.0, 0.2, 0.5, 0.8))


def csvs() -> Iterator[Sample]:
    """Encodings, quotes, lengths, headers, formulas."""
    text = CSV.decode()
    yield Sample("csv as it should be", CSV, False)
    for encoding in (
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-7",
        "cp037",
        "shift_jis",
        "cp1252",
    ):
        yield Sample(
            f"csv in {encoding}", text.replace("x1,", "ü1," if encoding != "shift_jis" else "x1,").encode(encoding)
        )
    yield Sample("csv mixed encodings", CSV + "9,ü\n".encode("latin-1") * 3 + "9,ü\n".encode())
    yield Sample("csv boms within", b"\xef\xbb\xbf" * 3 + CSV)
    for name, ending in (("cr", b"\r"), ("crlf", b"\r\n"), ("nel", b"\xc2\x85"), ("mixed", b"\r\r\n")):
        yield Sample(f"csv ends lines with {name}", CSV.replace(b"\n", ending))
    for name, body in {
        "nothing": b"",
        "one byte": b"\0",
        "nul cells": CSV.replace(b"x3", b"\0\0"),
        "only nul": b"\0" * 10_000,
        "only newlines": b"\n" * 100_000,
        "only commas": b"," * 100_000,
        "only quotes": b'"' * 100_001,
        "only a header": b"a,b\n",
        "quote never ends": b'a,b\n1,"x\n' + b"2,y\n" * 10_000,
        "quotes within": b'a,b\n1,x"y"z\n2,"y"z\n' * 20,
        "quote of 5 MiB": b'a,b\n1,"' + b"x" * 5 * _MIB + b'"\n',
        "line of 20 MiB": b"a,b\n1," + b"x" * 20 * _MIB + b"\n",
        "line of commas": CSV + b"," * _MIB + b"\n",
        "100,000 columns": b",".join(b"c%d" % number for number in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
        "ragged": b"a,b,c\n" + b"".join(b"1," * (number % 5) + b"1\n" for number in range(500)),
        "same headers": b"a,a,a\n1,2,3\n" * 3,
        "empty headers": b",,\n1,2,3\n",
        "header of 1 MiB": b"h" * _MIB + b",b\n1,2\n",
        "headers of marks": "\u202ea,\u0000b,\u200bc\n1,2,3\n".encode(),
        "deep escapes": b'a,b\n1,"' + b'""' * 50_000 + b'"\n',
        "surrogates": b"a,b\n1,\xed\xa0\x80\n" * 10,
        "overlong": b"a,b\n1,\xc0\xaf\n" * 10,
    }.items():
        yield Sample(f"csv: {name}", body, True if name in ("nothing", "only nul", "100,000 columns") else None)
    for cell in ("=HYPERLINK(1)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=1\0"):
        yield Sample(f"csv formula {cell!r}", f'a,b\n1,"{cell}"\n2,y\n'.encode())
    for value in ("NaN", "inf", "-inf", "1e400", "9" * 400, "0x1p5", "-0.0", "9223372036854775808", "1_0", "٣"):
        yield Sample(f"csv value {value[:20]}", f"a,b\n{value},x\n1,y\n".encode())


def parquets() -> Iterator[Sample]:
    """Cut, corrupt, deep, wide, lying and odd."""
    plain = _parquet(pa.table({"a": list(range(100)), "b": [f"x{number}" for number in range(100)]}))
    yield Sample("parquet as it should be", plain, False)
    yield from cuts("parquet", plain, (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99))
    yield from flips("parquet", plain, [number / 20 for number in range(20)])
    yield Sample("parquet footer length", plain[:-8] + struct.pack("<I", 0x7FFFFFFF) + b"PAR1", True)
    yield Sample("parquet footer of nothing", plain[:-8] + struct.pack("<I", 0) + b"PAR1", True)
    yield Sample("parquet footer of zeros", plain[:-200] + b"\0" * 192 + plain[-8:], True)
    yield Sample("parquet magic alone", b"PAR1" * 4, True)
    yield Sample("parquet encrypted", plain[:-4] + b"PARE", True)
    for number in (2**31, 2**62):
        yield Sample(f"parquet claims {number} rows", _claim(plain, number), None)
    deep: pa.DataType = pa.int32()
    for depth in range(1, 201):
        deep = pa.list_(deep) if depth % 2 else pa.struct({"f": deep})
        if depth in (20, 60, 200):
            yield Sample(f"parquet {depth} deep", _parquet(pa.table({"a": pa.nulls(2, deep)})), True)
    wide = pa.table({f"c{number}": [1] for number in range(12_000)})
    yield Sample("parquet of 12,000 columns", _parquet(wide), True)
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(40_000, dtype=np.int32)), pa.array(["x" * 20_000]))
    yield Sample("parquet dictionary bomb", _parquet(pa.table({"a": text})), True)
    zeros = pa.table({"a": np.zeros(20_000_000)})
    yield Sample("parquet of 160 MB of zeros", _parquet(zeros, compression="zstd"))
    yield Sample("parquet no rows", _parquet(pa.table({"a": pa.array([], pa.int32())})))
    yield Sample("parquet no columns", _parquet(pa.table({})), True)
    for kind in (
        pa.time64("ns"),
        pa.duration("us"),
        pa.decimal128(38, 10),
        pa.decimal256(76, 5),
        pa.binary(16),
        pa.date64(),
        pa.timestamp("ns", "Pacific/Kiritimati"),
        pa.map_(pa.string(), pa.int32()),
        pa.null(),
        pa.float16(),
        pa.large_string(),
    ):
        yield Sample(f"parquet of {kind}", _parquet(pa.table({"a": pa.nulls(3, kind), "b": [1, 2, 3]})))
    extension = pa.field(
        "a", pa.int64(), metadata={"ARROW:extension:name": "evil", "ARROW:extension:metadata": "x" * 9}
    )
    yield Sample("parquet extension", _parquet(pa.table([[1, 2]], schema=pa.schema([extension]))))


def jsons() -> Iterator[Sample]:
    """JSON Lines and documents."""
    line = '{"a": 1, "b": "x"}\n'
    yield Sample("json as it should be", line.encode() * 3, False)
    for name, value in _VALUES.items():
        yield Sample(f"json value {name}", (line * 3 + f'{{"a": {value}, "b": "y"}}\n').encode())
    for name, body in {
        "same keys": '{"a": 1, "a": 2}\n' * 3,
        "top-level list": "[1, 2, 3]",
        "top-level text": '"x"',
        "null": "null",
        "not closed": '{"a": 1, "b": ',
        "two in a line": '{"a": 1}{"a": 2}\n',
        "comments": '// x\n{"a": 1}\n',
        "single quotes": "{'a': 1}\n",
        "10,001 keys": json.dumps({f"k{number}": number for number in range(10_001)}),
        "keys of 1 MiB": json.dumps({"k" * _MIB: 1}),
        "empty key": '{"": 1}\n' * 3,
        "yaml aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    }.items():
        yield Sample(f"json: {name}", body.encode())
    yield Sample("json bom", b"\xef\xbb\xbf" + line.encode() * 3)
    yield Sample("json utf-16", (line * 3).encode("utf-16"))
    yield Sample("json latin-1", '{"a": "ü"}\n'.encode("latin-1") * 3)


def bodies() -> Iterator[Sample]:
    """What a client may send instead of a request."""
    yield Sample("body as it should be", b'{"name": "data", "description": "x"}', False)
    for name, value in _VALUES.items():
        body = f'{{"name": "data", "description": {value}}}'.encode()
        yield Sample(f"body with {name}", body, None if name == "nul" else True)
    for name, body in {
        "same keys": b'{"name": "a", "name": "b"}',
        "list": b"[1]",
        "null": b"null",
        "nothing": b"",
        "not closed": b'{"name": "a"',
        "latin-1": '{"name": "data", "description": "ü"}'.encode("latin-1"),
        "utf-16": '{"name": "data"}'.encode("utf-16"),
        "bom": b'\xef\xbb\xbf{"name": "data"}',
        "unknown key": b'{"name": "data", "__class__": "x"}',
        "10,001 keys": json.dumps({"name": "data", **{f"k{number}": 1 for number in range(10_001)}}).encode(),
        "nul in the name": b'{"name": "da\\u0000ta"}',
        "number as name": b'{"name": 1}',
    }.items():
        yield Sample(f"body of {name}", body, None if name == "bom" else True)


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name.replace("\0", "_")), body, zipfile.ZIP_DEFLATED)
    return (
        buffer.getvalue().replace(b"a_.csv", b"a\0.csv") if any("\0" in name for name in members) else buffer.getvalue()
    )


def _zip_twice() -> bytes:
    first = _zip({"a.csv": CSV, "b.csv": CSV})
    return first.replace(b"b.csv", b"a.csv")


def _zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def _patched(at: int, value: int) -> bytes:
    """A field of the member's own head and, where the directory has it too, of its entry."""
    body = bytearray(_zip({"a.csv": CSV}))
    entry = body.rindex(b"PK\x01\x02")
    num_bytes = 2 if at < 14 else 4
    for place in (at, entry + at + 2):
        body[place : place + num_bytes] = value.to_bytes(num_bytes, "little")
    return bytes(body)


def _tar(name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        good = tarfile.TarInfo("good.csv")
        good.size = len(CSV)
        archive.addfile(good, io.BytesIO(CSV))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        info.size = len(CSV) if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(CSV) if info.size else None)
    return buffer.getvalue()


def _wrong_crc(body: bytes) -> bytes:
    return body[:-8] + struct.pack("<I", zlib.crc32(b"other")) + body[-4:]


def _parquet(table: pa.Table, compression: str = "snappy") -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=compression)
    return buffer.getvalue()


def _claim(body: bytes, num_rows: int) -> bytes:
    """The footer says another number of rows wherever it says 100, which thrift writes as a zigzag varint."""
    footer_length = struct.unpack("<I", body[-8:-4])[0]
    head, footer = body[: -8 - footer_length], body[-8 - footer_length : -8]
    wanted = bytearray()
    value = num_rows * 2
    while value > 0x7F:
        wanted.append(value & 0x7F | 0x80)
        value >>= 7
    wanted.append(value)
    changed = footer.replace(b"\xc8\x01", bytes(wanted))
    return head + changed + struct.pack("<I", len(changed)) + b"PAR1"
