"""A recipe from its file to a dataset version, through CLI, API, the previews function, Batch and ingest."""

import json
from pathlib import Path

from tests.stack import Stack

RECIPE = """
steps:
  - do: trim
  - {do: parse, columns: [price], to: number, decimal: ",", strip: €}
  - {do: filter, where: id >= 10}
  - {do: dedupe}
  - {do: split, parts: {train: 0.8, test: 0.2}}
"""


def test_a_recipe_is_tried_and_then_makes_datasets(stack: Stack, tmp_path: Path) -> None:
    lines = [f'{index},"{index},50 €", Bonn ' for index in range(100)] + ["100,much,Ulm", '99,"99,50 €",Bonn']
    data, recipe = tmp_path / "offers.csv", tmp_path / "recipe.yaml"
    data.write_text("id,price,city\n" + "\n".join(lines) + "\n")
    recipe.write_text(RECIPE)
    stack.cli("datasets", "upload", "offers", str(data))

    tried = json.loads(stack.cli("prepare", "offers", "--recipe", str(recipe), "--preview", "-o", "json"))
    counts = [(step["do"], step["num_rows_in"], step["num_rows_out"]) for step in tried["steps"]]
    assert counts == [
        ("trim", 102, 102),
        ("parse", 102, 101),
        ("filter", 101, 91),
        ("dedupe", 91, 90),
        ("split", 90, 90),
    ]
    assert tried["parts"]["train"] + tried["parts"]["test"] == 90

    stack.cli("prepare", "offers", "--recipe", str(recipe), "--to", "clean")
    versions = [json.loads(stack.cli("datasets", "get", f"clean-{part}@1", "-o", "json")) for part in ("train", "test")]
    assert [version["num_rows"] for version in versions] == [tried["parts"]["train"], tried["parts"]["test"]]
    assert [version["num_quarantined"] for version in versions] == [1, 0]
    assert [column["type"] for column in versions[0]["data_schema"]["columns"]] == ["integer", "number", "string"]

    recipe.write_text("steps: [{do: filter, where: prize > 1}]")
    words = stack.cli("recipes", "check", str(recipe), "--dataset", "offers", exit_code=3)
    assert "did you mean 'price'?" in words
