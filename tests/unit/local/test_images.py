"""What images.json says."""

import json
import sys
from pathlib import Path

import pytest

from aimass_local.containers import find_image, read_images
from aimass_local.containers.container import StartError


def test_a_glob_names_the_interpreter_of_an_image(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    assert read_images(path) == {}
    path.write_text(json.dumps({"*/guest:*": sys.executable}))
    images = read_images(path)
    assert find_image(images, "registry/guest:1").python == Path(sys.executable)
    with pytest.raises(StartError, match="no image 'registry/other:1'"):
        find_image(images, "registry/other:1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "has to map globs"),
        ("{", "has to map globs"),
        ('{"*": "/no/python"}', "/no/python"),
        ('{"*": 3}', "has to map"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "images.json"
    path.write_text(text)
    with pytest.raises(OSError, match=words) as caught:
        read_images(path)
    assert str(path) in str(caught.value)
