"""Sources of scripts: the same files are the same bytes, and what is never meant stays out."""

import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aimass import packing
from aimass_core.errors import InvalidDataError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    for name in ("train.py", "lib/model.py", "requirements.txt", "run.sh"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "run.sh").chmod(0o755)
    return folder


def names_in(source: Path, *, entry_point: str = "train.py") -> list[str]:
    with packing.packed(source, entry_point=entry_point) as path, tarfile.open(path) as archive:
        return archive.getnames()


def bytes_of(source: Path) -> bytes:
    with packing.packed(source, entry_point="train.py") as path:
        return path.read_bytes()


def test_same_files_are_the_same_bytes_whenever_and_whosever_they_are(source: Path) -> None:
    before = bytes_of(source)
    for path in source.rglob("*"):
        os.utime(path, (1, 1))
    assert bytes_of(source) == before
    (source / "train.py").write_text("other")
    assert bytes_of(source) != before


@pytest.mark.parametrize(
    "noise",
    [".git/config", ".venv/bin/python", "env/pyvenv.cfg", "lib/__pycache__/m.cpython-311.pyc", ".env", "x.pyc",
     "node_modules/a/index.js", ".ipynb_checkpoints/a.ipynb", "own.egg-info/PKG-INFO"],
)  # fmt: skip
def test_noise_stays_out(source: Path, noise: str) -> None:
    wanted = names_in(source)
    (source / noise).parent.mkdir(parents=True, exist_ok=True)
    (source / noise).write_text("noise")
    assert names_in(source) == wanted == ["lib/model.py", "requirements.txt", "run.sh", "train.py"]


def make_tar(source: Path, target: Path) -> None:
    with tarfile.open(target, "w:gz") as archive:
        archive.add(source, arcname="project")


def make_zip(source: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(source.rglob("*")):
            archive.write(path, path.relative_to(source))


def make_git_archive(source: Path, target: Path) -> None:
    options = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    git = ["git", "-C", str(source), *options]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["archive", "-o", str(target), "HEAD"]):
        subprocess.run([*git, *command], check=True)


@pytest.mark.parametrize(
    ("make", "name"), [(make_tar, "a.tar.gz"), (make_zip, "a.zip"), (make_git_archive, "a.tar"), (make_tar, "a.tgz")]
)
def test_archive_is_taken_as_the_folder_that_it_was_made_of(
    source: Path, tmp_path: Path, make: Callable[[Path, Path], None], name: str
) -> None:
    make(source, tmp_path / name)
    assert names_in(tmp_path / name) == names_in(source)


def test_missing_entry_point_names_the_files_that_could_be_one(source: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"no file 'main.py'.*lib/model.py, train.py"):
        names_in(source, entry_point="main.py")


@pytest.mark.parametrize("target", ["/etc/passwd", "train.py", "lib"])
def test_link_is_refused_by_name(source: Path, target: str) -> None:
    (source / "sneaky").symlink_to(target)
    with pytest.raises(InvalidDataError, match="sneaky"):
        names_in(source)


def test_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../train.py", "")
    with pytest.raises(InvalidDataError, match="leads out"):
        names_in(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_file_that_is_no_archive_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(InvalidDataError, match="no archive"):
        names_in(tmp_path / name)
    with pytest.raises(InvalidDataError, match="no folder or archive"):
        names_in(tmp_path / "absent")


def test_source_with_data_in_it_is_refused_with_the_largest_files(source: Path) -> None:
    with (source / "data.bin").open("wb") as file:
        file.truncate(packing.MAX_UNPACKED_BYTES + 1)
    with pytest.raises(InvalidDataError, match=r"data.bin .*Upload data as a dataset"):
        names_in(source)


def test_too_many_files_are_refused(source: Path) -> None:
    for number in range(packing.MAX_FILES):
        (source / f"{number}.txt").touch()
    with pytest.raises(InvalidDataError, match="10,000 files"):
        names_in(source)
