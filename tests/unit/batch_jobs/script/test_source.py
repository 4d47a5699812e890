"""Packed sources that mean no good, and requirements that are fulfilled already."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from aimass_core.errors import InvalidRequestError
from batch_jobs.script import source
from tests.unit.batch_jobs.script.scripts import pack


def archive_of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (archive_of(tarfile.TarInfo("../outside.py")), "outside"),
        (archive_of(link("x", "/etc/passwd")), "link or a device"),
        (archive_of(link("x", "train.py", tarfile.LNKTYPE)), "link or a device"),
        (archive_of(link("x", "", tarfile.CHRTYPE)), "link or a device"),
        (b"no archive", "cannot be unpacked"),
        (pack({"train.py": "x" * 2_000})[:60], "cannot be unpacked"),
        (gzip.compress(b"no tar in it" * 100), "cannot be unpacked"),
        (pack({"train.py": "0" * 20_000}), "unpacks to more than"),
        (pack({}), "no entry point"),
        (pack({"a": "", "a/b.py": "", "train.py": ""}), "cannot be unpacked"),
    ],
)
def test_source_that_is_not_as_it_should_be_is_refused(tmp_path: Path, packed: bytes, words: str) -> None:
    path = tmp_path / "in" / "source.tar.gz"
    path.parent.mkdir()
    path.write_bytes(packed)
    with pytest.raises(InvalidRequestError, match=words):
        source.unpack(path, path.parent / "code", entry_point="train.py", max_bytes=10_000)
    assert {each.name for each in tmp_path.iterdir()} == {"in"}


def test_absolute_name_stays_inside(tmp_path: Path) -> None:
    path = tmp_path / "source.tar.gz"
    target = tmp_path / "evil.py"
    path.write_bytes(pack({str(target): "x", "train.py": ""}))
    source.unpack(path, tmp_path / "code", entry_point="train.py")
    assert not target.exists()


def test_only_requirements_that_are_not_fulfilled_are_left_for_pip(tmp_path: Path) -> None:
    lines = [
        "# a comment",
        "numpy",
        "numpy>=1.0  # fine",
        "numpy<1",
        "nothing-here",
        "-e ./x",
        "x; python_version<'3'",
        "",
    ]
    (tmp_path / "requirements.txt").write_text("\n".join(lines))
    assert source.missing_requirements(tmp_path) == ["numpy<1", "nothing-here", "-e ./x"]


def test_requirements_in_another_encoding_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes("numpy # für".encode("latin-1"))
    with pytest.raises(InvalidRequestError, match="UTF-8"):
        source.missing_requirements(tmp_path)
