"""A recipe from its file to a dataset version, through CLI, API, the previews function, Batch and ingest."""

import json
from pathlib import Path
from typing import Any

import pytest

import aimass
from tests.e2e.webhooks import send_webhook
from tests.stack import Stack, wait_until, write_loans

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


@pytest.mark.slow
def test_a_model_is_trained_again_without_rows_or_a_source(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    data = tmp_path / "loans.csv"
    write_loans(data, num_rows=400, seed=0)
    client.datasets.upload(data, name="loans-again", target="repaid").wait()
    client.sources.create("regions", collector={"type": "webhook"})
    body = b'[{"region": "north", "rate": 1.5}, {"region": "south", "rate": 2.5}]'
    send_webhook(client, client.sources.create_webhook("regions"), body.replace(b"}, {", b"}\n{").strip(b"[]"))
    wait_until(lambda: any(found.latest_version for found in client.datasets.list() if found.name == "regions"))
    steps: list[dict[str, Any]] = [{"do": "trim"}, {"do": "join", "dataset": "regions", "keys": ["region"]}]
    client.jobs.prepare("loans-again", steps, output="loans-joined").wait()
    first = client.jobs.train("loans-joined", algorithm="linear", target="repaid", model="again").wait()
    assert first.model_version is not None

    stack.cli("models", "retrain", "again", "--without-rows", "region = 'north'")
    second = client.models.get_version("again", 2)
    trained = client.datasets.get_version(second.datasets["train"].dataset_id, second.datasets["train"].number)
    counting = "select count(*) from \"loans-again\" where region <> 'north' or region is null"
    assert [trained.num_rows] == next(iter(client.datasets.query(counting)))

    third = client.models.retrain("again@1", without_source="regions").wait()
    assert third.model_version is not None
    pin = third.channels["train"]
    schema = client.datasets.get_version(pin.dataset_id, pin.number).data_schema
    assert schema is not None
    columns = {column.name for column in schema.columns}
    assert (pin.dataset_name, "rate" in columns) == ("loans-joined-without-regions", False)
