"""Previews and submissions of recipes, through the real handlers of the API and of previews."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPreviewer
from functions.previews.app import make_handler
from tests.functional.gateway import Api, Context
from tests.functional.test_datasets import upload

CSV = b"id,price,city\n" + b"".join(f'{index},"{index},5", Bonn \n'.encode() for index in range(200))
STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "parse", "columns": ["price"], "to": "number", "decimal": ","},
    {"do": "filter", "where": "price < 100"},
]


@pytest.fixture(autouse=True)
def dataset(api: Api) -> dict[str, Any]:
    handle = make_handler(lambda: api.ports.lake)
    api.ports.previewer = MemoryPreviewer(lambda payload: handle(payload, Context()))  # type: ignore[arg-type]
    api.post("/v1/datasets", {"name": "prices"})
    return upload(api, CSV, dataset="prices")


def preview(api: Api, *steps: dict[str, Any], **fields: Any) -> Any:
    return api.post("/v1/datasets/prices/preview", {"recipe": {"steps": steps}, **fields})


def test_preview_shows_what_each_step_does_to_a_sample(api: Api) -> None:
    answer = preview(api, *STEPS, num_sampled=50, limit=3)
    assert answer.status == 200, answer.text
    found = answer.json
    assert (found["num_rows"], found["num_sampled"]) == (200, 50)
    counts = [(step["do"], step["num_rows_in"], step["num_rows_out"]) for step in found["steps"]]
    assert counts == [("trim", 50, 50), ("parse", 50, 50), ("filter", 50, 25)]
    assert found["columns"][1] == {"name": "price", "type": "number"}
    assert found["rows"] == [{"id": each, "price": each + 0.5, "city": "Bonn"} for each in (0, 4, 8)]
    assert api.get("/v1/datasets").json["items"][0]["name"] == "prices"
    assert len(api.get("/v1/datasets").json["items"]) == 1


def test_preview_names_a_step_that_fails_on_the_data(api: Api) -> None:
    step = {"do": "cast", "columns": {"city": "integer"}, "on_error": "stop"}
    answer = preview(api, {"do": "trim"}, step)
    assert (answer.status, answer.code) == (422, "invalid_data")
    assert answer.json["detail"].startswith("Step 2 (cast): step 2 stops at 200 rows, such as row 1, column 'city'")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (
            [{"do": "filter", "where": "prize < 3"}],
            "Step 1 (filter): there is no column 'prize': did you mean",
        ),
        ([{"do": "trim"}, {"do": "outliers", "columns": ["city"]}], "Step 2 (outliers): the column 'city' is string"),
        ([{"do": "filter", "where": "id IN (SELECT 1)"}], "'subquery' is not taken"),
        ([{"do": "derive", "columns": {"x": "read_text('/etc/passwd')"}}], "'read_text' is not taken"),
        ([{"do": "derive", "columns": {"x": "sum(id)"}}], "'sum' is not taken"),
        ([{"do": "filter", "where": "id <"}], "is no expression"),
        ([{"do": "drop", "columns": ["id", "price", "city"]}], "no column is left"),
        ([{"do": "rename", "columns": {"id": "city"}}], "two columns would have the name 'city'"),
        ([{"do": "join", "dataset": "prices", "keys": ["id"]}], "both have a column 'price', 'city'"),
        ([{"do": "units", "columns": ["id"], "unit": "kg", "to": "m"}], "Nothing can be converted from 'kg' to 'm'"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_with_its_step(api: Api, steps: list[dict[str, Any]], words: str) -> None:
    answer = preview(api, *steps)
    assert answer.status == 422
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"do": "fly"}],
        [{"do": "trim", "colums": ["id"]}],
        [{"do": "split", "parts": {"a": 0.5, "b": 0.5}}, {"do": "trim"}],
        [{"do": "split", "parts": {"a": 0.5, "b": 0.6}}],
        [{"do": "sample"}],
        [{"do": "units", "columns": ["id"], "unit": "9**9**9", "to": "m"}],
    ],
)
def test_c7_a_recipe_that_is_none_is_refused(api: Api, steps: list[dict[str, Any]]) -> None:
    assert preview(api, *steps).status == 422
    job = api.post("/v1/jobs", {"spec": {"kind": "prepare", "dataset": "prices", "recipe": {"steps": steps}}})
    assert job.status == 422


def test_a_prepare_job_is_checked_and_pinned_when_it_is_submitted(api: Api) -> None:
    spec = {"kind": "prepare", "dataset": "prices", "recipe": {"steps": STEPS}}
    made = api.post("/v1/jobs", {"spec": spec})
    assert made.status == 202, made.text
    assert made.json["spec"]["output"] == "prices-prepared"
    assert made.json["channels"]["data"]["number"] == 1
    wrong = {"steps": [{"do": "filter", "where": "nope > 1"}]}
    refused = api.post("/v1/jobs", {"spec": spec | {"recipe": wrong}})
    assert (refused.status, refused.code) == (422, "invalid_data")
    assert refused.json["errors"][0]["location"] == "body.spec.recipe.steps[0]"
    joined = {"steps": [{"do": "join", "dataset": "unknown", "keys": ["id"]}]}
    assert api.post("/v1/jobs", {"spec": spec | {"recipe": joined}}).status == 404
    assert (
        api.post(
            "/v1/jobs",
            {
                "spec": spec
                | {"output": "x" * 60, "recipe": {"steps": [{"do": "split", "parts": {"train": 0.5, "test": 0.5}}]}}
            },
        ).status
        == 422
    )


def test_h2_another_workspaces_dataset_is_not_there(api: Api) -> None:
    assert api.post("/v1/datasets/ds_" + "0" * 27 + "/preview", {"recipe": {"steps": STEPS}}).status == 404
