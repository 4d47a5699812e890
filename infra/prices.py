"""Writes the table of prices anew from the AWS Price List API: `python -m infra.prices` (needs AWS credentials).

The right that it uses is `pricing:GetProducts`. The API answers from us-east-1 for every region. Only the instance
types that the table has already are asked for: add one by hand, with any price, and run this.

    python -m infra.prices                      # the region that the table has
    python -m infra.prices --region eu-central-1
"""

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "layers/core/python/aimass_core/services/prices.json"
SOURCE = "AWS Price List API (on demand, Linux, USD)"
_EC2 = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
_KEPT = ("athena_usd_per_tib", "lambda_usd_per_request", "lambda_usd_per_gib_second", "s3_usd_per_gib_month")
_NUMBER = re.compile(r"[\d.]+")


def main() -> None:
    """The command line."""
    import boto3

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    table = json.loads(PATH.read_text())
    parser.add_argument("--region", default=table["region"])
    region = parser.parse_args().region
    fresh = refresh(table, boto3.client("pricing", region_name="us-east-1"), region=region, now=datetime.now(UTC))
    PATH.write_text(to_text(fresh))


def refresh(table: Mapping[str, Any], client: Any, *, region: str, now: datetime) -> dict[str, Any]:
    """The same instance types with today's prices. Raises LookupError where the API has no price of one."""
    ec2 = {name: _find(client, "AmazonEC2", region, {"instanceType": name, **_EC2}) for name in table["ec2"]}
    sagemaker, hosting = (
        {
            name: _find(client, "AmazonSageMaker", region, {"instanceName": name, "component": component})
            for name in table[part]
        }
        for part, component in (("sagemaker", "Training"), ("hosting", "Hosting"))
    )
    return {
        "region": region,
        "as_of": f"{now:%Y-%m-%d}",
        "source": SOURCE,
        # Much the same in every region, and of no instance type.
        **{name: table[name] for name in _KEPT},
        "ec2": ec2,
        "sagemaker": sagemaker,
        "hosting": hosting,
    }


def to_text(table: Mapping[str, Any]) -> str:
    """JSON with a line for each instance type."""
    parts = []
    for name, value in table.items():
        if isinstance(value, Mapping):
            rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in value.items())
            parts.append(f" {json.dumps(name)}: {{\n{rows}\n }}")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _find(client: Any, service: str, region: str, wanted: Mapping[str, str]) -> dict[str, Any]:
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    filters.append({"Type": "TERM_MATCH", "Field": "regionCode", "Value": region})
    pages = client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters)
    found = [machine for page in pages for text in page["PriceList"] for machine in _machines(json.loads(text))]
    if not found:
        raise LookupError(f"{service} has no price of {wanted} in {region}")
    return min(found, key=lambda machine: float(machine["usd_per_hour"]))


def _machines(product: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    attributes = product["product"]["attributes"]
    vcpus = attributes.get("vcpu") or attributes.get("vCpu")
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            price = float(dimension["pricePerUnit"].get("USD", 0))
            if price > 0 and dimension["unit"].lower() in ("hrs", "hours", "hour"):
                machine = {"usd_per_hour": price, "vcpus": int(vcpus), "memory_gib": _number(attributes["memory"])}
                gpus = int(_number(attributes.get("gpu") or "0"))
                yield machine | ({"gpus": gpus} if gpus else {})


def _number(text: str) -> float:
    """Of `16 GiB`; 0 where it says N/A."""
    match = _NUMBER.search(text.replace(",", ""))
    value = float(match[0]) if match else 0.0
    return int(value) if value.is_integer() else value


if __name__ == "__main__":
    main()
