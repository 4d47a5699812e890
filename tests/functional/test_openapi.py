"""The OpenAPI document: complete, true to the operations, and held against the API by schemathesis."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.api.app import OPERATIONS
from tests.functional.gateway import Api
from tests.functional.wsgi import serving

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    answer = api.as_nobody().get("/v1/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json)


def test_every_operation_is_described_and_nothing_else(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods if path[:3] == "/v1"
    }
    of_others = {
        ("POST", "/v1/endpoints/{endpoint}/predict"),
        ("POST", "/v1/endpoints/{endpoint}/invocations"),
        ("POST", "/v1/webhooks/{workspace}/{source}"),
    }
    assert described - of_others == {(operation.method, operation.openapi_path) for operation in OPERATIONS}
    assert of_others <= described
    assert "/v2/models/{model}/infer" in document["paths"]


def test_every_operation_has_a_name_a_security_and_problems(document: dict[str, Any]) -> None:
    names = []
    for methods in document["paths"].values():
        for described in methods.values():
            names.append(described["operationId"])
            assert described["summary"]
            assert described["tags"]
            assert described["security"] in ([], [{"api_key": []}])
            for status, response in described["responses"].items():
                if int(status) >= 400:
                    assert response["content"].keys() <= {"application/problem+json", "application/json"}
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_schemas_have_names_that_a_generator_can_give_to_types(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == []
    titles = [schema.get("title", name) for name, schema in schemas.items()]
    assert len(titles) == len(set(titles)), "two types would have one name"
    assert {"CostsBudget", "JobsBudget"} <= schemas.keys()
    assert schemas["InferenceTensor"]["properties"]["data"]["items"] == {}


def test_no_schema_of_a_secret_record_is_published(document: dict[str, Any]) -> None:
    assert "secret_sha256" not in json.dumps(document)


def test_the_page_loads_nothing_from_elsewhere(api: Api) -> None:
    answer = api.as_nobody().get("/v1/docs")
    assert answer.headers["content-type"] == "text/html"
    assert "swagger-ui" in answer.text
    for tag in ("<script src", "<link rel='stylesheet' type='text/css' href", '<img src="http'):
        assert tag not in answer.text
    # API Gateway passes on at most 10 MB, Lambda 6.
    assert len(answer.body) < 5 * 1024**2


@pytest.fixture
def base_url(api: Api, document: dict[str, Any]) -> Iterator[str]:
    """Of a server that has its document at hand: making it takes longer on a busy machine than schemathesis waits."""
    with serving(api.gateway) as address:
        yield address


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_h7_schemathesis_finds_no_fault(api: Api, base_url: str, tmp_path: Path) -> None:
    # Predictions and collectors are not behind this gateway, and revoking or rotating keys would end the run's own.
    excluded = [
        "--exclude-path-regex",
        "^/v2|/(predict|invocations)$|^/v1/webhooks/",
        "--exclude-operation-id",
        "revoke_api_key",
        "--exclude-operation-id",
        "rotate_api_key",
    ]
    _run_schemathesis(api, base_url, tmp_path, CONFIGURATION, *excluded)


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_h7_schemathesis_finds_no_fault_in_what_jobs_are_made_of(api: Api, base_url: str, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.read_text().partition("[[operations]]")[0])
    only = ["--include-operation-id", "create_job", "--phases", "coverage"]
    _run_schemathesis(api, base_url, tmp_path, configuration, *only)


def _run_schemathesis(api: Api, base_url: str, folder: Path, configuration: Path, *selected: str) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configuration), "run"]
    arguments = [f"{base_url}/v1/openapi.json", "--checks", "all", "-n", "5", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [*command, *arguments, *selected, "-H", f"Authorization: Bearer {api.token}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    report = done.stdout[done.stdout.find("FAILURES") :]
    assert done.returncode == 0, report + done.stderr
