"""Scalars as TensorBoard reads them: TFRecords of `Event` messages (tensorflow/core/util/event.proto).

Written here and not by a library: tensorboardX imports torch (3 s of a job that boosts trees), tensorboard's own
writer TensorFlow where there is one. TensorBoard itself reads it in the tests.
"""

import math
import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_CRC32C_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_VERSION = b"brain.Event:2"
_LARGEST = 3.4028234e38
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalars:
    """One point of each curve, at a time in seconds since 1970."""

    step: int
    values: Mapping[str, float]
    at: float


def begin_event_file(folder: Path) -> Path:
    """An empty one. TensorBoard takes the folder's name for the run's."""
    folder.mkdir(parents=True, exist_ok=True)
    now = time.time()
    path = folder / f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}"
    path.write_bytes(_to_record(_field(1, _FIXED64, struct.pack("<d", now)) + _field(3, _BYTES, _VERSION)))
    return path


def append_events(path: Path, points: Iterable[Scalars]) -> None:
    """At its end, all at once."""
    with path.open("ab") as file:
        file.write(b"".join(_to_record(_to_event(point)) for point in points))


def _to_event(point: Scalars) -> bytes:
    summary = b"".join(
        _field(1, _BYTES, _field(1, _BYTES, name.encode()) + _field(2, _FIXED32, _single(value)))
        for name, value in point.values.items()
    )
    head = _field(1, _FIXED64, struct.pack("<d", point.at)) + _field(2, _VARINT, _varint(point.step))
    return head + _field(5, _BYTES, summary)


def _to_record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _masked_crc(length) + event + _masked_crc(event)


def _single(value: float) -> bytes:
    """NOTE: struct refuses what is too large for a float32."""
    return struct.pack("<f", math.copysign(math.inf, value) if abs(value) > _LARGEST else value)


def _field(number: int, kind: int, content: bytes) -> bytes:
    length = _varint(len(content)) if kind == _BYTES else b""
    return _varint(number << 3 | kind) + length + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _masked_crc(content: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)


def _build_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _build_table()
