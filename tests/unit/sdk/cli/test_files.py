"""Files of settings."""

from pathlib import Path
from typing import Any

import pytest
import typer

from aimass.cli.files import read_settings


def read(path: Path, text: str) -> dict[str, Any]:
    path.write_text(text)
    return read_settings(path, option="--space", example="{a: 1}")


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    found = read(tmp_path / "x.yaml", "a: [1e-4, 1E5, 1.5e+3, .5, -2e-1, 3, 1.0]\nb: 1e-4x\n")
    assert found == {"a": [1e-4, 1e5, 1500.0, 0.5, -0.2, 3, 1.0], "b": "1e-4x"}
    assert isinstance(found["a"][5], int)


def test_json_is_read_too(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", '{"a": {"b": [1e-4, null]}}') == {"a": {"b": [1e-4, None]}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1,", "neither JSON nor YAML"),
        ("a: 1\nb: 2\na: 3\n", r"'a' comes twice(.|\n)*line 3"),
        ("{a: {b: 1, b: 2}}", "'b' comes twice"),
        ("- a\n- b\n", "holds a list, and an object such as {a: 1} is wanted"),
        ("", "holds a NoneType"),
        ("a: !!python/object/apply:os.system [id]\n", "neither JSON nor YAML"),
    ],
)
def test_files_that_are_no_settings_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words) as caught:
        read(tmp_path / "x.yaml", text)
    assert caught.value.param_hint == "--space"


def test_absent_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "absent.yaml", "no file"), (tmp_path, "neither JSON nor YAML")):
        with pytest.raises(typer.BadParameter, match=words):
            read_settings(path, option="--space", example="{}")
