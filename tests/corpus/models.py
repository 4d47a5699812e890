"""Hostile ONNX and safetensors files for an import, and images for a dataset."""

import io
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tests.corpus.samples import Sample, cuts, flips

_MIB = 1024**2


def graphs() -> Iterator[Sample]:
    """ONNX: data outside, cycles, claims, strange operators, depth, wrong shapes, loops without end."""
    good = _model()
    plain = good.SerializeToString()
    yield Sample("onnx as it should be", plain, False)
    for location in ("../../../etc/passwd", "/etc/passwd", "weights.bin", "file:///etc/passwd", ""):
        yield Sample(f"onnx data at {location!r}", _external(location), True)
    yield Sample("onnx cycle", _nodes([("Add", "x", "b", "a"), ("Add", "a", "w", "b"), ("Add", "a", "w", "y")]), True)
    yield Sample("onnx names itself", _nodes([("Add", "y", "w", "y")]), True)
    yield Sample("onnx missing input", _nodes([("Add", "nowhere", "w", "y")]), True)
    yield Sample("onnx output twice", _nodes([("Add", "x", "w", "y"), ("Add", "x", "w", "y")]), True)
    yield Sample("onnx unknown operator", _nodes([("Evil", "x", "w", "y")]), True)
    for domain in ("evil", "com.microsoft", "ai.onnx.contrib", "org.pytorch.aten"):
        yield Sample(f"onnx operator of {domain}", _nodes([("Add", "x", "w", "y")], domain=domain), True)
    for dims in ([2**40], [2**31, 2**31], [-1], [2**62, 4]):
        yield Sample(f"onnx claims {dims}", _claims(dims), True)
    for depth in (20, 70, 900):
        yield Sample(f"onnx {depth} deep", _deep(depth), True if depth > 60 else None)
    yield Sample("onnx makes 1 TiB", _constant_of([2**20, 2**18]), True)
    yield Sample("onnx makes 16 GiB from nothing", _constant_of([2**12, 2**20]), True)
    yield Sample("onnx wrong shapes", _nodes([("MatMul", "w", "w", "a"), ("Add", "a", "x", "y")]))
    yield Sample("onnx of no nodes", _nodes([]), True)
    yield Sample("onnx 5,000 nodes", _chain(5_000))
    for version in (0, 1, 9_999):
        old = _model()
        old.opset_import[0].version = version
        yield Sample(f"onnx opset {version}", old.SerializeToString(), True if version != 1 else None)
    for name, body in {
        "nothing": b"",
        "text": b"not a model",
        "zeros": b"\0" * 1_000,
        "ones": b"\xff" * 1_000,
        "pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "html": b"<html><script>alert(1)</script>",
        "length of 4 GiB": b"\x3a\xff\xff\xff\xff\x0f",
        "varint without end": b"\x08" + b"\x80" * 100,
    }.items():
        yield Sample(f"onnx of {name}", body, True)
    yield Sample("onnx strings of no encoding", plain.replace(b"weights", b"wei\xff\xfets"))
    yield from cuts("onnx", plain, (0.2, 0.5, 0.8, 0.95))
    yield from flips("onnx", plain, [number / 12 for number in range(12)])


def safetensors() -> Iterator[Sample]:
    """Headers that lie."""
    header = {"weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    data = b"\0" * 16
    yield Sample("safetensors as it should be", _safetensors(header, data), False)
    for length in (0, 1, 2**31, 2**40, 2**63, 2**64 - 1, 200 * _MIB):
        yield Sample(f"safetensors header of {length} bytes", struct.pack("<Q", length) + b"{}" + data, True)
    changes = {
        "beyond the end": {"data_offsets": [0, 1_000_000]},
        "before the beginning": {"data_offsets": [-16, 0]},
        "backwards": {"data_offsets": [16, 0]},
        "shape of 2^60": {"shape": [2**30, 2**30]},
        "shape of -1": {"shape": [-1, 4]},
        "type of nobody": {"dtype": "F1024"},
        "offsets as text": {"data_offsets": ["0", "16"]},
        "offsets of 1e400": {"data_offsets": [0, 2**1024]},
        "shape without numbers": {"shape": [None]},
    }
    for name, change in changes.items():
        yield Sample(f"safetensors {name}", _safetensors({"weight": {**header["weight"], **change}}, data), True)
    both = {**header, "v": {"dtype": "F32", "shape": [2, 2], "data_offsets": [8, 24]}}
    yield Sample("safetensors overlap", _safetensors(both, data + data), True)
    yield Sample("safetensors hole", _safetensors(header, data + b"\1" * 64), True)
    yield Sample("safetensors of a list", struct.pack("<Q", 2) + b"[]" + data, True)
    yield Sample("safetensors of 100,000 deep", struct.pack("<Q", 100_000) + b"[" * 100_000, True)
    many = {f"t{number}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for number in range(50_000)}
    yield Sample("safetensors of 50,000 tensors", _safetensors(many, b""), True)
    twice = json.dumps(header)[:-1] + ", " + json.dumps(header)[1:]
    yield Sample("safetensors names twice", struct.pack("<Q", len(twice)) + twice.encode() + data)
    yield from cuts("safetensors", _safetensors(header, data), (0.1, 0.5, 0.9))


def images() -> Iterator[Sample]:
    """Sizes that lie, modes, frames, files that are two things, what cameras write."""
    png = _image("PNG")
    yield Sample("png as it should be", png, False)
    for side in (20_000, 65_535, 2**31 - 1):
        yield Sample(f"png claims {side} pixels a side", _png_of(side), True)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        yield from cuts(kind.lower(), _image(kind), (0.3, 0.8))
        yield from flips(kind.lower(), _image(kind), (0.1, 0.5))
    for mode in ("CMYK", "L", "1", "P", "LA", "I;16", "F", "YCbCr"):
        yield Sample(f"image of mode {mode}", _image("JPEG" if mode in ("CMYK", "YCbCr") else "TIFF", mode=mode))
    frames = [Image.new("P", (32, 32), number) for number in range(200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    yield Sample("gif of 200 frames", buffer.getvalue())
    yield Sample("png and html", png + b"<html><script>alert(1)</script>")
    yield Sample("png and zip", png + b"PK\x05\x06" + b"\0" * 18)
    yield Sample("gif and script", b"GIF89a/*" + b"\0" * 100 + b"*/=1;alert(1)", True)
    yield Sample("svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', True)
    yield Sample("svg of entities", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>', True)
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "<script>alert(1)</script>" * 100, 8
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6)).save(buffer, "JPEG", exif=exif)
    yield Sample("jpeg with exif", buffer.getvalue())
    yield Sample("png with 40 MiB of text", _png_text(40), None)
    yield Sample("png without end", png[:8] + png[8:-12] * 2)


def _model() -> onnx.ModelProto:
    return _graph([helper.make_node("Add", ["x", "weights"], ["y"])], [numpy_helper.from_array(_W, "weights")])


_W = np.ones((1, 3), dtype=np.float32)


def _graph(nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, [None, 3])], [value("y", TensorProto.FLOAT, [None, 3])], tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _nodes(listed: list[tuple[str, str, str, str]], *, domain: str = "") -> bytes:
    nodes = [helper.make_node(kind, [left, right], [out], domain=domain) for kind, left, right, out in listed]
    model = _graph(nodes, [numpy_helper.from_array(_W, "w")])
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model.SerializeToString()


def _external(location: str) -> bytes:
    model = _model()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        tensor.external_data.add(key=key, value=value)
    return model.SerializeToString()


def _claims(dims: list[int]) -> bytes:
    model = _model()
    (tensor,) = model.graph.initializer
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return model.SerializeToString()


def _constant_of(shape: list[int]) -> bytes:
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return _graph(nodes, [numpy_helper.from_array(np.array(shape, dtype=np.int64), "s")]).SerializeToString()


def _chain(number: int) -> bytes:
    names = ["x", *[f"v{index}" for index in range(number - 1)], "y"]
    nodes = [helper.make_node("Neg", [names[index]], [names[index + 1]]) for index in range(number)]
    return _graph(nodes, []).SerializeToString()


def _deep(depth: int) -> bytes:
    """Attributes that hold graphs that hold nodes, each put around the wire form of the one within."""
    node = helper.make_node("Neg", ["x"], ["y"]).SerializeToString()
    for _ in range(depth):
        graph = _field(1, node)
        attribute = _field(1, b"body") + _field(6, graph)
        node = _field(1, b"x") + _field(2, b"y") + _field(4, b"If") + _field(5, attribute)
    model = _graph([], [])
    body = model.graph.SerializeToString() + _field(1, node)
    model.ClearField("graph")
    return model.SerializeToString() + _field(7, body)


def _field(number: int, body: bytes) -> bytes:
    size, length = bytearray(), len(body)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + body


def _safetensors(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _image(kind: str, *, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (16, 12)).save(buffer, kind)
    return buffer.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_of(side: int) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = _chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + rows + _chunk(b"IEND", b"")


def _png_text(mebibytes: int) -> bytes:
    png = _image("PNG")
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * mebibytes * _MIB))
    return png[:33] + text + png[33:]
