"""JSON Lines, Parquet, arrays, images and everything compressed."""

import gzip
import io
import json
import zlib
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from aimass_core.domain.datasets import DatasetPolicy, DatasetVersionStatus
from aimass_core.domain.schemas import DatasetKind, ImageShape
from aimass_core.services.ingest import readers
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import ExpandedTooLargeError, Limits
from aimass_core.services.ingest.reading import Reading
from tests.unit.core.services.ingest.files import to_image, to_npz, to_parquet, to_tar, to_zip
from tests.unit.core.services.ingest.scene import Scene, types, write

CSV = b"a,b\n1,x\n2,y\n"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_json_lines_with_nested_and_missing_keys(scene: Scene) -> None:
    lines = [
        {"id": 1, "name": "Ann", "geo": {"lat": 1.5, "lon": 2}, "tags": ["a", "b"], "at": "2026-01-02T03:04:05Z"},
        {"id": 2, "name": "007", "ok": True, "at": "2026-01-02T03:04:05+02:00"},
    ]
    version = scene.upload(scene.dataset(), "\n".join(map(json.dumps, lines)).encode())
    assert scene.rows(version) == [
        {
            "id": 1,
            "name": "Ann",
            "geo.lat": 1.5,
            "geo.lon": 2,
            "tags": '["a","b"]',
            "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "ok": None,
        },
        {
            "id": 2,
            "name": "007",
            "geo.lat": None,
            "geo.lon": None,
            "tags": None,
            "at": datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC),
            "ok": True,
        },
    ]


def test_json_text_of_digits_stays_text(scene: Scene) -> None:
    version = scene.upload(scene.dataset(), b'{"zip": "50667", "n": 1}\n{"zip": "10115", "n": 2.5}\n')
    assert types(version) == {"zip": "string", "n": "number"}


def test_bad_json_lines_are_named(scene: Scene) -> None:
    good = ['{"a": %d, "name": "ü"}'.encode() % index for index in range(100)]
    deep = b'{"a":' * 30 + b"1" + b"}" * 30
    very_deep = b"[" * 100_000
    body = b"\n".join([*good, b'{"a": ', b"[1]", b'{"a": 1, "a": 2}', deep, b'{"a": "\xff"}', very_deep])
    version = scene.upload(scene.dataset(max_bad_fraction=0.1), body)
    assert version.num_rows == 100
    assert [issue.line for issue in version.issues] == [101, 102, 103, 104, 105, 106]
    assert "twice" in version.issues[2].reason
    assert "nested too deeply" in version.issues[3].reason
    assert "UTF-8" in version.issues[4].reason


def test_a_key_that_appears_late_is_a_column(scene: Scene) -> None:
    body = b"".join(b'{"a": %d}\n' % index for index in range(40_000)) + b'{"a": 1, "late": "x"}\n'
    version = scene.upload(scene.dataset(), body)
    table = scene.table(version)
    assert types(version) == {"a": "integer", "late": "string"}
    assert table["late"].null_count == 40_000
    assert table["late"][-1].as_py() == "x"


def test_parquet_types_become_ours(scene: Scene) -> None:
    table = pa.table(
        {
            "i": pa.array([1, None], type=pa.int8()),
            "u": pa.array([2**63, 1], type=pa.uint64()),
            "f": pa.array([1.5, float("inf")], type=pa.float32()),
            "d": pa.array([date(2026, 1, 2), None]),
            "t": pa.array([datetime(2026, 1, 2, tzinfo=UTC), None], type=pa.timestamp("ns")),
            "s": pa.array(["x", None]).dictionary_encode(),
            "b": pa.array([True, False]),
        }
    )
    version = scene.upload(scene.dataset(), to_parquet(table))
    assert types(version) == {
        "i": "integer",
        "u": "number",
        "f": "number",
        "d": "datetime",
        "t": "datetime",
        "s": "string",
        "b": "boolean",
    }
    assert scene.rows(version)[1] == {"i": None, "u": 1.0, "f": None, "d": None, "t": None, "s": None, "b": False}
    assert version.profile is not None
    assert any("1 infinite" in warning for warning in version.profile.warnings)


def test_parquet_lists_of_text_are_text_as_json_has_it(scene: Scene) -> None:
    tags = [["a", 'b "c"'], [], None, ["ä", None]]
    table = pa.table(
        {
            "plain": pa.array(tags),
            "large": pa.array(tags, pa.large_list(pa.large_string())),
            "codes": pa.array(tags, pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        }
    )
    version = scene.upload(scene.dataset(), to_parquet(table))
    assert types(version) == {"plain": "string", "large": "string", "codes": "string"}
    for row, wanted in zip(scene.rows(version), ['["a","b \\"c\\""]', "[]", None, '["ä",null]'], strict=True):
        assert set(row.values()) == {wanted}


def test_parquet_that_a_table_cannot_hold_is_refused(scene: Scene) -> None:
    nested = pa.array([{"a": {"b": 1}}])
    version = scene.upload(scene.dataset(), to_parquet(pa.table({"x": [1], "nested": nested})))
    assert version.status is DatasetVersionStatus.REJECTED
    assert (version.issues[0].column, "cannot hold" in version.issues[0].reason) == ("nested", True)


def test_damaged_parquet_is_refused(scene: Scene) -> None:
    body = to_parquet(pa.table({"x": list(range(1000))}))
    for damaged in (
        body[:-100],
        body[: len(body) // 2] + b"\0" * 20 + body[len(body) // 2 + 20 :],
        b"PAR1" + b"x" * 50,
    ):
        version = scene.upload(scene.dataset(f"d{len(damaged)}{hash(damaged) % 1000}"), damaged)
        assert version.status is DatasetVersionStatus.REJECTED, scene.rows(version)[:3]
        assert "damaged" in version.issues[0].reason


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(CSV),
        gzip.compress(CSV[:8]) + gzip.compress(CSV[8:]),
        to_zip({"data.csv": CSV}),
        to_zip({"one/a.csv": b"a,b\n1,x\n", "one/b.csv": b"a,b\n2,y\n", "one/.DS_Store": b"junk", "__MACOSX/a": b"x"}),
        to_tar({"a.csv": b"a,b\n1,x\n", "b.jsonl": b'{"a": 2, "b": "y"}\n'}),
        to_tar({"a.csv": CSV}, "w:gz"),
    ],
)
def test_compressed_tables(scene: Scene, body: bytes) -> None:
    version = scene.upload(scene.dataset(), body)
    assert scene.rows(version) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], version.issues


def test_images_in_class_folders(scene: Scene) -> None:
    members = {
        "pets/train/cat/1.png": to_image((255, 0, 0)),
        "pets/train/dog/2.jpg": to_image((0, 255, 0), kind="JPEG"),
        "pets/test/cat/3.bmp": to_image((0, 0, 255), kind="BMP"),
        "pets/README.txt": b"hello",
    }
    for body in (to_zip(members), to_tar(members), to_tar(members, "w:gz")):
        version = scene.upload(scene.dataset(f"d{len(body)}"), body)
        assert version.kind is DatasetKind.IMAGES
        assert version.target == "label"
        assert types(version) == {"image": "image", "label": "string", "split": "string"}
        assert version.data_schema is not None
        assert version.data_schema.image_shape == ImageShape(height=6, width=8, channels=3)
        rows = scene.rows(version)
        assert [(row["label"], row["split"]) for row in rows] == [("cat", "train"), ("dog", "train"), ("cat", "test")]
        assert rows[0]["image"] == members["pets/train/cat/1.png"]
        assert Image.open(io.BytesIO(rows[2]["image"])).getpixel((0, 0)) == (0, 0, 255)
        assert version.profile is not None
        assert "1 files of the archive are no images" in version.profile.warnings[0]


def test_broken_images_are_kept_apart(scene: Scene) -> None:
    good = {f"a/{index}.png": to_image(index, mode="L") for index in range(40)}
    huge = bytearray(to_image(0, mode="L"))
    huge[16:24] = (50_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
    members = {**good, "a/cut.png": to_image(9)[:-30], "a/huge.png": bytes(huge), "root.png": to_image(1)}
    version = scene.upload(scene.dataset(max_bad_fraction=0.2), to_zip(members))
    assert (version.num_rows, version.num_quarantined) == (40, 3), version.issues
    reasons = {issue.reason.split(":")[0]: issue.reason for issue in version.issues}
    assert "damaged" in reasons["a/cut.png"]
    assert "pixels" in reasons["a/huge.png"]
    assert "no folder" in reasons["root.png"]


def test_npz_of_images_with_splits(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    x_train, x_test = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8), rng.integers(0, 256, (2, 4, 3), dtype=np.uint8)
    body = to_npz(x_train=x_train, y_train=np.arange(5), x_test=x_test, y_test=np.array([3, 4]))
    version = scene.upload(scene.dataset(), body)
    rows = scene.rows(version)
    assert [(row["label"], row["split"]) for row in rows[-3:]] == [("4", "train"), ("3", "test"), ("4", "test")]
    decoded = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))) for row in rows])
    assert (decoded == np.concatenate([x_train, x_test])).all()
    assert version.data_schema is not None
    assert version.data_schema.image_shape == ImageShape(height=4, width=3, channels=1)


def test_npz_of_numbers(scene: Scene) -> None:
    x = np.array([[1.5, np.nan], [np.inf, -0.0]])
    version = scene.upload(scene.dataset(), to_npz(X=x, y=np.array(["a", "b"])))
    assert version.target == "y"
    assert scene.rows(version) == [{"x0": 1.5, "x1": None, "y": "a"}, {"x0": None, "x1": 0.0, "y": "b"}]
    assert str(scene.rows(version)[1]["x1"]) == "0.0"


def test_npz_with_a_column_for_each_label_becomes_lists_of_labels(scene: Scene) -> None:
    y = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=np.uint8)
    lists = ['["0","2"]', "[]", '["1"]']
    table = scene.upload(scene.dataset("table"), to_npz(x=np.zeros((3, 2)), y=y))
    assert types(table)["y"] == "string"
    assert [row["y"] for row in scene.rows(table)] == lists
    pictures = to_npz(train_images=np.zeros((3, 4, 4), np.uint8), train_labels=y.astype(bool))
    images = scene.upload(scene.dataset("images"), pictures)
    assert [row["label"] for row in scene.rows(images)] == lists


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (to_npz(x=np.zeros((2, 3)), y=np.eye(2)), "one-hot"),
        (to_npz(x=np.zeros((3, 3)), y=np.array([[0, 2], [0, 1], [1, 1]])), "0 and 1 of shape (rows, labels)"),
        (to_npz(x=np.array([{}], dtype=object), y=np.array([1])), "Python objects"),
        (to_npz(x=np.zeros((2, 3, 3, 1)), y=np.zeros(2)), "uint8"),
        (to_npz(x=np.zeros((2, 3, 3), dtype=np.uint8)), "no labels"),
        (to_npz(x=np.zeros((2, 3)), y=np.zeros(3)), "One label per row"),
        (to_npz(x=np.zeros((2, 3)), y=np.zeros((2, 2))), "one-hot"),
        (to_npz(weights=np.zeros(3)), "No array is called"),
        (to_npz(x=np.zeros((2, 3), dtype=complex)), "complex"),
    ],
)
def test_npz_that_is_no_dataset(scene: Scene, body: bytes, reason: str) -> None:
    version = scene.upload(scene.dataset(), body)
    assert version.status is DatasetVersionStatus.REJECTED
    assert reason in version.issues[0].reason


@pytest.mark.parametrize(
    ("body", "is_slow"),
    [
        (CSV, False),
        (to_parquet(pa.table({"a": [1, 2]})), False),
        (b'a,b\n1,"x\ny"\n', True),
        (b'{"a": 1}\n{"a": 2}\n', True),
        (to_zip({"a.csv": CSV}), True),
        (gzip.compress(b'{"a": 1}\n' * 50), True),
    ],
)
def test_what_is_read_row_by_row_goes_to_a_job_where_it_is_large(tmp_path: Path, body: bytes, is_slow: bool) -> None:
    path = write(tmp_path / "file", body)
    with Quarantine(tmp_path / "quarantine.jsonl") as quarantine:
        reading = Reading(
            display_name="file", policy=DatasetPolicy(), quarantine=quarantine, limits=Limits(max_slow_bytes=10)
        )
        with pytest.raises(ExpandedTooLargeError) if is_slow else nullcontext():
            assert len(list(readers.spool(path, tmp_path, reading))) == 1
