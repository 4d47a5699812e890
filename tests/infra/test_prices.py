"""The table of prices: written anew from answers of the Price List API, and true to the job definition."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from aimass_core.adapters.batch import JOB_RETRIES
from aimass_core.services.prices import DEFAULT_MEMORY_MIB, DEFAULT_VCPUS, PREDICTIONS_MEMORY_MIB, PriceTable
from infra import prices
from tests.infra.templates import Template


class PriceList:
    """Answers `get_products` as the Price List API does: JSON texts, in pages, for the filters given."""

    def __init__(self, products: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._products = products

    def get_paginator(self, operation: str) -> "PriceList":
        assert operation == "get_products"
        return self

    def paginate(self, *, ServiceCode: str, Filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        wanted = {each["Field"]: each["Value"] for each in Filters}
        for product in self._products[ServiceCode]:
            if wanted.items() <= product["product"]["attributes"].items():
                yield {"PriceList": [json.dumps(product)]}


def product(usd: str, *, unit: str = "Hrs", **attributes: str) -> dict[str, Any]:
    """As the API describes one; prices are texts, and every SKU has more dimensions than one."""
    dimensions = {
        "a.b.c": {"unit": unit, "pricePerUnit": {"USD": usd}},
        "a.b.d": {"unit": "Quantity", "pricePerUnit": {"USD": "0.5000000000"}},
    }
    return {
        "product": {"attributes": {"regionCode": "eu-central-1", **attributes}},
        "terms": {"OnDemand": {"a.b": {"priceDimensions": dimensions}}},
    }


LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
TABLE = {
    "region": "us-east-1",
    "as_of": "2020-01-01",
    "source": "by hand",
    "athena_usd_per_tib": 5.0,
    "lambda_usd_per_request": 3e-6,
    "lambda_usd_per_gib_second": 2e-5,
    "s3_usd_per_gib_month": 0.02,
    "ec2": {"g4dn.xlarge": {"usd_per_hour": 1, "vcpus": 1, "memory_gib": 1}},
    "sagemaker": {"ml.m5.large": {"usd_per_hour": 1, "vcpus": 1, "memory_gib": 1}},
    "hosting": {"ml.m5.large": {"usd_per_hour": 1, "vcpus": 1, "memory_gib": 1}},
}
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_table_is_written_anew_from_the_price_list() -> None:
    api = PriceList(
        {
            "AmazonEC2": [
                product("0.0000000000", instanceType="g4dn.xlarge", vcpu="4", memory="16 GiB", gpu="1", **LINUX),
                product("0.6580000000", instanceType="g4dn.xlarge", vcpu="4", memory="16 GiB", gpu="1", **LINUX),
                product("9", instanceType="g4dn.xlarge", vcpu="4", memory="16 GiB", **{**LINUX, "tenancy": "Host"}),
            ],
            "AmazonSageMaker": [
                product("0.138", instanceName="ml.m5.large", component="Training", vCpu="2", memory="8 GiB", gpu="N/A"),
                product("0.05", instanceName="ml.m5.large", component="Hosting", vCpu="2", memory="8 GiB"),
            ],
        }
    )
    fresh = prices.refresh(TABLE, api, region="eu-central-1", now=NOW)
    assert fresh["ec2"]["g4dn.xlarge"] == {"usd_per_hour": 0.658, "vcpus": 4, "memory_gib": 16, "gpus": 1}
    assert fresh["sagemaker"]["ml.m5.large"] == {"usd_per_hour": 0.138, "vcpus": 2, "memory_gib": 8}
    assert fresh["hosting"]["ml.m5.large"]["usd_per_hour"] == 0.05
    assert (fresh["region"], fresh["as_of"], fresh["source"]) == ("eu-central-1", "2026-11-25", prices.SOURCE)
    assert json.loads(prices.to_text(fresh)) == fresh


def test_missing_price_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(LookupError, match=r"g4dn.xlarge.*eu-central-1"):
        prices.refresh(TABLE, PriceList({"AmazonEC2": []}), region="eu-central-1", now=NOW)


def test_checked_in_table_is_as_the_script_writes_it() -> None:
    text = prices.PATH.read_text()
    PriceTable.model_validate_json(text)
    assert prices.to_text(json.loads(text)) == text


def test_default_compute_is_that_of_the_job_definition(batch: Template) -> None:
    for definition in batch.properties("AWS::Batch::JobDefinition"):
        if "NodeProperties" in definition:
            (nodes,) = definition["NodeProperties"]["NodeRangeProperties"]
            container = nodes["Container"]
        else:
            container = definition["ContainerProperties"]
        requirements = {each["Type"]: each["Value"] for each in container["ResourceRequirements"]}
        assert requirements == {"VCPU": str(DEFAULT_VCPUS), "MEMORY": str(DEFAULT_MEMORY_MIB)}


def test_attempts_of_a_workspace_are_judged_as_those_of_the_job_definition(batch: Template) -> None:
    for definition in batch.properties("AWS::Batch::JobDefinition"):
        rules = definition["RetryStrategy"]["EvaluateOnExit"]
        assert [{name[0].lower() + name[1:]: value for name, value in rule.items()} for rule in rules] == list(
            JOB_RETRIES
        )


def test_predictions_are_billed_at_the_memory_of_the_default_deployment(application: Template) -> None:
    functions = application.properties("AWS::Lambda::Function")
    (memory_mib,) = [each["MemorySize"] for each in functions if each["FunctionName"] == "aimass-predictions"]
    assert memory_mib == PREDICTIONS_MEMORY_MIB
