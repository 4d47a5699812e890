"""Archives that nobody's export wrote: each is refused before anything is made, in bounded time and memory."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aimass_core.errors import InvalidDataError
from tests.unit.batch_jobs.transfer.office import Office

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    office = Office.open("team", tmp_path_factory.mktemp("office"))
    office.furnish()
    return office.export()


@pytest.fixture
def there(tmp_path: Path) -> Office:
    return Office.open("elsewhere", tmp_path)


def unpack(archive: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def pack(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, body in files.items():
            packed.writestr(zipfile.ZipInfo(name), body, compression)
    return buffer.getvalue()


def signed(files: Files, *, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Files:
    """With a manifest that tells of exactly these files."""
    manifest = json.loads(files["manifest.json"])
    manifest["entries"] = [
        {"path": name, "num_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in files.items()
        if not name.startswith("manifest.")
    ]
    change(manifest)
    body = json.dumps(manifest).encode()
    return {**files, "manifest.json": body, "manifest.sha256": hashlib.sha256(body).hexdigest().encode()}


def refuse(there: Office, archive: bytes, match: str) -> None:
    before = there.rows()
    with pytest.raises(InvalidDataError, match=match):
        there.import_(archive)
    assert there.rows() == before
    assert there.objects() == {}, "nothing was written"


def test_a12_a_flipped_byte_is_found(there: Office, archive: bytes) -> None:
    name = next(name for name in unpack(archive) if name.endswith("model.onnx"))
    files = unpack(archive)
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    refuse(there, pack(files), f"{name}.* is damaged: its SHA-256 is")


def test_a12_a_truncated_archive_is_refused(there: Office, archive: bytes) -> None:
    refuse(there, archive[: len(archive) // 2], "no zip, or it ends too early")
    refuse(there, archive[len(archive) // 2 :], "damaged|cannot be imported")
    refuse(there, b"", "no zip")


def test_a12_a_manifest_that_was_changed_is_refused(there: Office, archive: bytes) -> None:
    files = unpack(archive)
    files["manifest.json"] = files["manifest.json"].replace(b'"team"', b'"mine"')
    refuse(there, pack(files), r"manifest.json is damaged")


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "objects/../../x", "C:x", "objects\\x", "objects/./x"])
def test_a10_a_member_that_leads_out_of_the_archive_is_refused(there: Office, archive: bytes, name: str) -> None:
    refuse(there, pack(signed({**unpack(archive), name: b"x"})), "leads out of its folder|is not valid|entries")


def test_a10_links_and_members_twice_are_refused(there: Office, archive: bytes) -> None:
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as opened:
        link = zipfile.ZipInfo("objects/link")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    refuse(there, buffer.getvalue(), "is a link or a device")
    twice = io.BytesIO(archive)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(twice, "a") as opened:
        opened.writestr("manifest.json", "{}")
    refuse(there, twice.getvalue(), "twice")


def test_a10_files_that_the_manifest_does_not_name_are_refused(there: Office, archive: bytes) -> None:
    files = unpack(archive)
    refuse(there, pack({**files, "objects/models/more": b"x"}), "holds 'objects/models/more'")
    name = next(name for name in files if name.endswith("model.onnx"))
    refuse(there, pack({path: body for path, body in files.items() if path != name}), f"lacks '{name}'")


def test_a11_a_bomb_is_refused_in_little_memory(there: Office, archive: bytes) -> None:
    files = signed({**unpack(archive), "objects/models/bomb": b"\0" * (64 * 1024**2)})
    body = pack(files, compression=zipfile.ZIP_DEFLATED)
    assert len(body) < 1024**2
    del files
    tracemalloc.start()
    refuse(there, body, "as bombs do|times its")
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
    tracemalloc.stop()


def test_a11_a_directory_that_is_longer_than_any_of_ours_is_not_read(there: Office) -> None:
    buffer = io.BytesIO(pack({"manifest.json": b"{}"}))
    end = bytearray(buffer.getvalue())
    end[-10:-6] = b"\xff\xff\xff\xff"
    refuse(there, bytes(end), "lists 1 members in 4,294,967,295 bytes")


def test_an_archive_of_another_format_or_release_is_refused(there: Office, archive: bytes) -> None:
    def newer(manifest: dict[str, Any]) -> None:
        manifest["schema_version"] = 2

    files = unpack(archive)
    refuse(there, pack(signed(files, change=newer)), "schema version 2; this release reads version 1")
    refuse(there, pack({"README": b"hello"}), "no manifest.json as an export writes it")
    refuse(there, pack(signed({**files, "rows/robot.jsonl": b"{}\n"})), "which this release does not know")


def _edit(files: Files, resource: str, change: Callable[[Any], None]) -> Files:
    path = f"rows/{resource}.jsonl"
    documents = [json.loads(line) for line in files[path].splitlines()]
    change(documents[0])
    return signed({**files, path: b"".join(json.dumps(each).encode() + b"\n" for each in documents)})


@pytest.mark.parametrize(
    ("resource", "path", "value", "match"),
    [
        ("model", ("model", "id"), "../../other", "its id is no mdl_"),
        ("model", ("model", "name"), "a/../b", "its name 'a/../b' is none"),
        ("model", ("model", "name"), "mdl_0123456789abcdef0123456789a", "is none that the platform gives"),
        ("model", ("versions", 0, "model_id"), "mdl_0123456789abcdef0123456789a", "listed with something else"),
        ("model", ("versions", 0, "number"), 10**12, "its number is"),
        ("model", ("versions", 0, "digest"), "0" * 64, "its digest is not that of its graph"),
        ("model", ("versions", 0, "artifacts", 0, "name"), "../card.json", "artifacts that no model version has"),
        ("model", ("versions", 0, "task"), "magic", "Line 1 of the archive's rows/model.jsonl is no model"),
        ("dataset", ("versions", 0, "status"), "PENDING", "its status is not READY"),
        ("dataset", ("versions", 0, "digest"), "0" * 64, "its manifest is another version's"),
        ("endpoint", ("endpoint", "serving", "model_id"), "x#y", "serves models that are none"),
        ("source", ("datasets",), {"a\x00#b": "ds_0123456789abcdef0123456789a"}, "is no source"),
        ("job", ("status",), "RUNNING", "has not ended"),
        ("trigger", ("dataset_id",), "other", "names a dataset that is none"),
    ],
)
def test_a9_rows_that_none_of_ours_would_be_are_refused(
    there: Office, archive: bytes, resource: str, path: tuple[str | int, ...], value: object, match: str
) -> None:
    def change(document: Any) -> None:
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    refuse(there, pack(_edit(unpack(archive), resource, change)), match)


def test_f6_a_graph_that_may_not_be_served_is_refused(there: Office, archive: bytes) -> None:
    files, graph = unpack(archive), b"\x80\x04 no graph"
    name = next(name for name in files if name.endswith("model.onnx") and "/models/" in name)

    def change(document: Any) -> None:
        version = document["versions"][0]
        version["digest"] = hashlib.sha256(graph).hexdigest()
        artifact = next(each for each in version["artifacts"] if each["name"] == "model.onnx")
        artifact |= {"sha256": version["digest"], "num_bytes": len(graph)}

    refuse(there, pack(_edit({**files, name: graph}, "model", change)), "cannot be served")


def test_a16_rows_of_another_schema_are_refused(there: Office, archive: bytes) -> None:
    files, other = unpack(archive), io.BytesIO()
    pq.write_table(pa.table({"secret": [1]}), other)
    body = other.getvalue()
    name = next(name for name in files if name.endswith(".parquet"))
    manifest_name = next(name for name in files if name.endswith("/manifest.json"))
    manifest = json.loads(files[manifest_name])
    sha256 = hashlib.sha256(body).hexdigest()
    manifest["files"][0] |= {"sha256": sha256, "num_bytes": len(body), "num_rows": 1}
    content = {"schema": manifest["data_schema"], "files": [sha256]}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def change(document: Any) -> None:
        document["versions"][0]["digest"] = digest

    moved = {path: each for path, each in files.items() if path != name}
    moved |= {f"{name.rpartition('/')[0]}/{sha256}.parquet": body, manifest_name: json.dumps(manifest).encode()}
    refuse(there, pack(_edit(moved, "dataset", change)), "a file has other columns than its schema")
