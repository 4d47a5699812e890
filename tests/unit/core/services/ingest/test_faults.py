"""Group A of the fault list: what hostile and unlucky files do to ingest. Each test is named after its row."""

import gzip
import io
import itertools
import json
import random
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import BadRows, DatasetVersionStatus, WriteMode
from aimass_core.services import datasets, quarantine, reconciler, uploads
from aimass_core.services.ingest import landing, versions
from tests.unit.core.services.ingest.bombs import BOMBS, nested_structs
from tests.unit.core.services.ingest.files import to_npz, to_parquet, to_tar, to_zip
from tests.unit.core.services.ingest.scene import Scene, to_csv, types

CSV = b"a,b\n1,x\n2,y\n"
ROOT = Path(__file__).parents[5]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def refused(scene: Scene, body: bytes, name: str = "data") -> str:
    """The reason for which a file is refused; nothing of it has reached the lake but the report."""
    version = scene.upload(scene.dataset(name), body)
    assert version.status is DatasetVersionStatus.REJECTED
    prefix = keys.dataset_prefix(version.workspace_id, version.dataset_id)
    assert [blob.key.rpartition("/")[2] for blob in scene.ports.lake.list(prefix)] == ["quarantine.jsonl"]
    assert version.status_reason
    return version.status_reason


# --- A8 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
def test_a8_events_that_come_never_thrice_and_in_any_order_make_each_row_once(seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene()
    dataset = scene.dataset("sales")
    events: list[str] = []
    for number in range(6):
        key = f"{keys.drop_prefix('team', 'sales')}part-{number}.csv"
        scene.ports.landing.put(key, b"a,b\n%d,x\n" % number)
        events += [key] * chance.choice([0, 1, 3])
        scene.clock.advance(1)
    chance.shuffle(events)
    for key in events:
        landing.land(scene.ports, key)
        scene.clock.advance(chance.choice([0, 2, 7]))
        if chance.random() < 0.3 and scene.ports.ingest_queue.messages:
            scene.ports.ingest_queue.messages.pop(chance.randrange(len(scene.ports.ingest_queue.messages)))
        if chance.random() < 0.5:
            scene.work()

    for _ in range(5):
        scene.clock.advance(60)
        reconciler.run(scene.ports)
        scene.work()

    latest = datasets.get(scene.ports, scene.principal, dataset.id).latest_version
    assert latest is not None
    assert sorted(row["a"] for row in scene.rows(scene.version(dataset, latest))) == list(range(6))
    assert len(events) == 0 or landing.land(scene.ports, events[0]) is not None
    scene.clock.advance(180)
    assert reconciler.run(scene.ports).drops == 0


def test_a8_what_belongs_to_no_dataset_is_not_swept_in(scene: Scene) -> None:
    for key in ("drop/nobody/sales/a.csv", "drop/team/sales/.hidden", "drop/team/a.csv"):
        scene.ports.landing.put(key, CSV)
    scene.clock.advance(180)
    assert landing.land_missed(scene.ports) == 0
    scene.ports.landing.put("drop/team/sales/late.csv", CSV)
    scene.clock.advance(1_800)
    assert landing.land_missed(scene.ports) == 0


# --- A9 ---------------------------------------------------------------------------------------------------------------

NAMES = [
    "../../x",
    "%2e%2e/%2fx",
    "..\\x",
    "a\0b",
    "x" * 900,
    "e\u0301.csv",
    "\u00e9.csv",
    "\u202egpj.csv",
    "trailing. ",
    "CON",
    "<img src=x onerror=alert(1)>",
]


def test_a9_names_are_only_shown_and_never_become_keys(scene: Scene) -> None:
    for number, name in enumerate(NAMES):
        uploaded = scene.upload(scene.dataset(f"data-{number}"), CSV + b"3\n" + b"4,z\n" * 30, name=name)
        assert uploaded.issues[0].file == name
        dropped = scene.drop(f"drops-{number}", name, CSV)
        assert (dropped is None) is name.startswith("..\\")
    scene.work()
    written = [blob.key for blob in scene.ports.lake.list("")]
    assert len(written) > 2 * len(NAMES)
    assert all(key.isascii() and key.isprintable() and ".." not in key and "img" not in key for key in written)


def test_a9_names_that_differ_only_in_unicode_form_are_two_files(scene: Scene) -> None:
    for name in ("e\u0301.csv", "\u00e9.csv"):
        scene.drop("sales", name, CSV)
    scene.work()
    assert scene.version(datasets.get(scene.ports, scene.principal, "sales"), 1).num_rows == 4


def test_a9_the_name_and_its_ending_are_never_trusted(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), to_parquet(pa.table({"x": [1]})), name="../..\\evil\x00.csv")
    assert version.status is DatasetVersionStatus.READY


@pytest.mark.parametrize("name", ["\u202eevil", "a\nb", "\x1b[31m", "x" * 501])
def test_a9_names_of_columns_can_be_seen_and_are_not_endless(scene: Scene, name: str) -> None:
    assert "Rename" in refused(scene, to_parquet(pa.table({name: [1]})), "parquet")
    line = json.dumps({name: 1}).encode()
    assert any("Rename" in issue.reason for issue in scene.upload(scene.dataset("json"), line).issues)
    version = scene.upload(scene.dataset("csv"), to_csv([name, "b"], [[1, 2]]))
    assert all(column.isprintable() and len(column) <= 500 for column in types(version))


# --- A10 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (to_zip({"../evil.csv": CSV}), "leads out"),
        (to_zip({"/etc/evil.csv": CSV}), "leads out"),
        (to_zip({"C:/evil.csv": CSV}), "leads out"),
        (to_zip({"a\\b.csv": CSV}), "leads out"),
        (to_zip({"a": CSV, "a/b": CSV}), "both as a file and as a folder"),
        (to_tar({"../evil.csv": CSV}), "leads out"),
        (to_tar({"a.csv": CSV, "./a/../../b": CSV}), "leads out"),
        (to_tar({"good.csv": CSV, "/abs.csv": CSV}), "leads out"),
        (to_zip({}), "no files"),
        (to_zip({"[Content_Types].xml": b"<x/>", "xl/sheet.xml": b"<x/>"}), "Office"),
        (to_tar({"a.csv": CSV})[:520], "damaged"),
    ],
)
def test_a10_archives_that_lead_out_are_refused_whole(scene: Scene, body: bytes, reason: str) -> None:
    assert reason in refused(scene, body)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a10_links_devices_and_twice_named_members_are_refused(scene: Scene) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as archive:
            info = tarfile.TarInfo("link.csv")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        assert "link or a device" in refused(scene, stream.getvalue(), f"kind-{kind.decode()}")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr("a.csv", CSV)
        zipped.writestr("a.csv", CSV)
    assert "twice" in refused(scene, stream.getvalue(), "twice")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        link = zipfile.ZipInfo("link.csv")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    assert "link or a device" in refused(scene, stream.getvalue(), "ziplink")


# --- A11 --------------------------------------------------------------------------------------------------------------


def test_a11_bombs_are_refused_within_bounded_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.core.services.ingest.bombs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name, (_, reason) in BOMBS.items():
        assert found["reasons"][name].startswith("REJECTED"), name
        assert reason in found["reasons"][name], name
    assert found["grown_bytes"] < 768 * 1024**2


def test_a11_yaml_with_aliases_is_never_expanded(scene: Scene) -> None:
    layers = [f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise("abcdefgh")]
    body = "\n".join(["a: &a [x]", *layers]).encode()
    version = scene.upload(scene.dataset(), body)
    stored = list(scene.ports.lake.list(keys.dataset_prefix(version.workspace_id, version.dataset_id)))
    assert sum(blob.num_bytes for blob in stored) < 100_000


# --- A12 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(CSV)[:-9], "ends too early, at byte"),
        (gzip.compress(CSV) + b"garbage", f"other data after its end, from byte {len(gzip.compress(CSV))} on"),
        (gzip.compress(CSV)[:-8] + b"\0" * 8, "damaged near byte"),
        (b"\x1f\x8b", "ends too early, at byte 2"),
        (gzip.compress(b""), "is empty"),
    ],
)
def test_a12_gzip_that_is_cut_wrong_or_goes_on_is_refused_with_the_byte(scene: Scene, body: bytes, reason: str) -> None:
    assert reason in refused(scene, body)


# --- A13 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b",".join(b"c%d" % index for index in range(100_000)) + b"\n", 1, "100,000 columns"),
        (b"a,b\n1," + b"x" * (17 * 1024**2) + b"\n", 2, "longer than 16 MiB"),
        (b"x" * (17 * 1024**2), 1, "longer than 16 MiB"),
        (b'"a,b\n1,2\n3,4\n', 1, "a quote on line 1 is not closed"),
        (b'a,b\n"1,2\n' * 50, None, "quotes of the row are broken"),
        (b"a,b\n1,\0\n2,3\n", 2, "NUL byte"),
        (b"\0" * 5_000, None, "binary data"),
        (b"\n\n\n", None, "no text"),
        (b"\xef\xbb\xbf", None, "no text"),
        (b"\xef\xbb\xbfa,b\n", 1, "header line but no rows"),
        (b"a,b\n", 1, "header line but no rows"),
        (b",,\n,,\n", None, "No row of the file has a value"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], None, "marked as utf-16 but is not"),
    ],
)
def test_a13_broken_csv_is_refused_with_its_line(scene: Scene, body: bytes, line: int | None, reason: str) -> None:
    version = scene.upload(scene.dataset(), body)
    assert version.status is DatasetVersionStatus.REJECTED
    assert reason in str(version.status_reason)
    assert line is None or version.issues[0].line == line


def test_a13_a_row_in_another_encoding_is_kept_apart_and_named(scene: Scene) -> None:
    body = b"a,b\n" + "ü,1\n".encode() * 50 + "ü,1\n".encode("latin-1")
    version = scene.upload(scene.dataset(), body)
    assert (version.num_rows, version.num_quarantined, version.issues[0].line) == (50, 1, 52)
    assert "UTF-8" in version.issues[0].reason


def test_a13_a_cell_of_megabytes_is_a_cell_and_a_line_of_delimiters_a_bad_row(scene: Scene) -> None:
    body = b'a,b\n"1","' + b"x," * (1024**2) + b'"\n' + b"2,y\n" * 30 + b"," * 1024**2 + b"\n"
    version = scene.upload(scene.dataset(), body)
    assert (version.num_rows, version.num_quarantined) == (31, 1), version.status_reason
    assert len(scene.rows(version)[0]["b"]) == 2 * 1024**2
    assert (version.issues[0].line, "1048577 fields, expected 2" in version.issues[0].reason) == (33, True)


def test_a13_duplicate_and_empty_headers_get_names_or_reject_the_file(scene: Scene) -> None:
    body = b"a,a,,b\n1,2,3,4\n5,6,7,8\n"
    version = scene.upload(scene.dataset("quarantine"), body)
    assert list(types(version)) == ["a", "a_2", "c2", "b"]
    assert version.profile is not None
    assert "the header 'a' occurs before it" in version.profile.warnings[0]
    assert "it has no header" in version.profile.warnings[1]
    rejected = scene.upload(scene.dataset("reject", bad_rows=BadRows.REJECT), body)
    assert "'a' occurs twice" in rejected.issues[0].reason


def test_a13_numbers_among_text_are_read_as_text_and_told(scene: Scene) -> None:
    rows = [[index, index if index % 2 else "red"] for index in range(100)]
    version = scene.upload(scene.dataset(), to_csv(["id", "x"], rows))
    assert types(version) == {"id": "integer", "x": "string"}
    assert version.profile is not None
    assert "Column 'x' mixes numbers (50% of its cells)" in version.profile.warnings[0]


def test_a13_half_of_a_surrogate_pair_is_a_bad_row(scene: Scene) -> None:
    """JSON can write it, and no encoding can: it used to end the conversion."""
    good = b'{"a": 1, "b": "x"}\n'
    version = scene.upload(scene.dataset(), good * 30 + b'{"a": 2, "b": "\\ud800"}\n' + good)
    assert (version.status, version.num_rows, version.num_quarantined) == (DatasetVersionStatus.READY, 31, 1)
    rows, _ = quarantine.list_rows(scene.ports, scene.principal, "data", 1, limit=10)
    assert "half of a surrogate pair" in rows[0].reason
    assert rows[0].line == 31


# --- A14 --------------------------------------------------------------------------------------------------------------


def test_a14_formulas_are_stored_as_data_and_disarmed_on_export(scene: Scene) -> None:
    cells = ["=HYPERLINK(1)", "+cmd", "@SUM(1)", "-2+3", "plain"]
    body = to_csv(["=text", "n"], [[cell, number] for number, cell in enumerate(cells, start=-1)])
    dataset = scene.dataset()
    version = scene.upload(dataset, body)
    assert [row["=text"] for row in scene.rows(version)] == cells
    exported = datasets.load_rows_csv(scene.ports, scene.principal, dataset.id, version.number, limit=10)
    assert exported.splitlines() == [
        "'=text,n",
        "'=HYPERLINK(1),-1",
        "'+cmd,0",
        "'@SUM(1),1",
        "'-2+3,2",
        "plain,3",
    ]


def test_a14_a_lead_of_tab_or_cr_is_disarmed_too(scene: Scene) -> None:
    dataset = scene.dataset()
    version = scene.upload(dataset, to_parquet(pa.table({"x": ["\t=1", "\r=1", "\n=1", "\uff1d1"]})))
    assert [row["x"] for row in scene.rows(version)] == ["\t=1", "\r=1", "\n=1", "\uff1d1"]
    exported = datasets.load_rows_csv(scene.ports, scene.principal, dataset.id, 1, limit=10)
    assert exported.count("'") == 4


# --- A15 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><body>log in</body></html>", "HTML"),
        (b"\xef\xbb\xbf<!doctype html>\n<html>1,2</html>\n", "HTML"),
        ("<html><body>x</body></html>".encode("utf-16"), "HTML"),
        (b"<!-- a --><html></html>", "HTML"),
        (b"<div>a,b</div>\n<div>1,2</div>\n", "HTML"),
        (gzip.compress(b"<html></html>"), "HTML"),
        (to_zip({"a.csv": b"<script>alert(1)</script>"}), "HTML"),
        (b"<svg xmlns='x'></svg>", "SVG"),
        (b"MZ\x90\x00" + b"\x00" * 100, "Windows program"),
        (b"\x7fELF" + b"\x00" * 100, "Linux program"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x80\x04\x95pickle", "pickle"),
        (to_npz(x=[{}]), "Python objects"),
        (bytes(range(256)) * 10, "binary data"),
    ],
)
def test_a15_bytes_that_are_no_table_are_refused_whatever_they_are_called(
    scene: Scene, body: bytes, reason: str
) -> None:
    assert reason in refused(scene, body)


# --- A16 --------------------------------------------------------------------------------------------------------------


class _Evil(pa.ExtensionType):  # type: ignore[misc]
    loaded = False

    def __init__(self) -> None:
        super().__init__(pa.int64(), "test.evil")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"payload"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> "_Evil":
        cls.loaded = True
        return cls()


def test_a16_parquet_extension_types_are_read_as_their_storage(scene: Scene) -> None:
    array = pa.ExtensionArray.from_storage(_Evil(), pa.array([1, 2]))
    table = pa.table({"x": array, "j": pa.array(['{"a": 1}', None], type=pa.json_())})
    version = scene.upload(scene.dataset(), to_parquet(table))
    assert types(version) == {"x": "integer", "j": "string"}
    assert not _Evil.loaded


def test_a16_a_schema_of_depth_500_is_refused(scene: Scene) -> None:
    assert "deeply nested" in refused(scene, to_parquet(pa.table({"x": nested_structs(500)})))


def test_a16_text_that_is_not_utf8_is_refused(scene: Scene) -> None:
    offsets = pa.array([0, 1, 2], type=pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    assert "UTF8" in refused(scene, to_parquet(pa.table({"x": broken})))


# --- A17 --------------------------------------------------------------------------------------------------------------


def test_a17_extreme_values_have_a_normal_form_and_nothing_of_the_registry_is_nan(scene: Scene) -> None:
    body = (
        b"some,many,zero,big,small,early,late\n"
        b"NaN,inf,-0.0,9223372036854775808,1e-400,0001-01-01,9999-12-31\n"
        b"1.5,-1e400,0.5,1,2.5,2026-01-01,2026-01-01\n"
    )
    version = scene.upload(scene.dataset(), body)
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert scene.rows(version) == [
        {"some": None, "many": None, "zero": 0.0, "big": 2.0**63, "small": 0, "early": datetime(1, 1, 1, tzinfo=UTC)}
        | {"late": last},
        {"some": 1.5, "many": None, "zero": 0.5, "big": 1, "small": 2.5, "early": datetime(2026, 1, 1, tzinfo=UTC)}
        | {"late": datetime(2026, 1, 1, tzinfo=UTC)},
    ]
    assert str(scene.rows(version)[0]["zero"]) == "0.0"
    assert version.profile is not None
    text = version.model_dump_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "body",
    [
        b"a,b\n" + b"9" * 100_000 + b",1\n1,2\n",
        b'{"a": ' + b"9" * 10_000 + b"}\n" + b'{"a": 1}\n',
        b'{"a": 1e400}\n{"a": -Infinity}\n{"a": NaN}\n{"a": 2}\n',
        b"a,b\n123456789012345678901234567890,1\n123456789012345678901234567890,2\n",
        to_parquet(pa.table({"a": [1e300, 1e300], "b": [2**62, 2**62 + 1]})),
    ],
)
def test_a17_numbers_beyond_every_type_are_read(scene: Scene, body: bytes) -> None:
    version = scene.upload(scene.dataset(), body)
    assert version.status is DatasetVersionStatus.READY, version.status_reason
    assert types(version)["a"] == "number"


# --- A18 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_a18_the_same_content_twice_at_once_is_one_file_and_two_versions(seed: int) -> None:
    chance = random.Random(seed)
    scene = Scene()
    dataset, other = scene.dataset("one"), scene.dataset("other")
    numbers = [begin(scene, dataset.id, chance) for _ in range(3)]
    begin(scene, other.id, chance)
    chance.shuffle(scene.ports.ingest_queue.messages)
    scene.work()
    for _ in range(3):
        scene.clock.advance(400)
        versions.close_due(scene.ports)
        scene.work()

    found = [scene.version(dataset, number) for number in numbers]
    twin = scene.version(other, 1)

    assert {version.digest for version in [*found, twin]} == {found[0].digest}
    folder = f"{keys.dataset_prefix(dataset.workspace_id, dataset.id)}files/"
    assert len(list(scene.ports.lake.list(folder))) == 1
    datasets.delete(scene.ports, scene.principal, "one")
    scene.clock.advance(120)
    assert datasets.purge_due(scene.ports) == 1
    assert list(scene.ports.lake.list(folder)) == []
    assert scene.rows(twin) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def begin(scene: Scene, dataset_id: str, chance: random.Random) -> int:
    upload = scene.begin(dataset_id, CSV, mode=WriteMode.REPLACE)
    scene.clock.advance(chance.random())
    version = uploads.complete(scene.ports, scene.principal, dataset_id, upload.id)
    again = uploads.complete(scene.ports, scene.principal, dataset_id, upload.id)
    assert again.number == version.number
    return version.number
