"""Recipe files: what is wrong is told with the number of its step."""

from pathlib import Path

import pytest
import typer

from aimass.cli.recipes import read_recipe
from aimass_core.errors import InvalidRequestError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def test_a_recipe_is_read_from_yaml(tmp_path: Path) -> None:
    text = "steps:\n- do: trim\n- {do: join, dataset: other@2, keys: [id]}\n- {do: cast, columns: {id: integer}}\n"
    assert [step.do for step in read_recipe(write(tmp_path, text)).steps] == ["trim", "join", "cast"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: [{do: trim}, {do: filter}]", r"step 2 \(filter\), where: Field required"),
        ("steps: [{do: fly}]", "step 1: Input tag 'fly'"),
        ("steps: [{do: trim, colums: [a]}]", r"step 1 \(trim\), colums: Extra inputs"),
        ("steps: []", "steps: List should have at least 1 item"),
        ("rows: []", "steps: Field required"),
        (
            "steps: [{do: split, parts: {a: 0.5, b: 0.5}}, {do: trim}]",
            "the file: Value error, a split deals the rows out to several datasets",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_step(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        read_recipe(write(tmp_path, text))


@pytest.mark.parametrize("text", ["- do: trim", "steps: [", "steps: &a [*a]"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises((typer.BadParameter, InvalidRequestError)):
        read_recipe(write(tmp_path, text))
