"""How much of a machine jobs may reserve."""

from __future__ import annotations

import json
from typing import Any

from aimass_local.assembly import job_capacity
from aimass_local.lifecycle import TEMPLATE_DIR

_GIB = 1024**3


def _requirements() -> dict[str, float]:
    """What one job of the checked-in stack asks for."""
    template = json.loads((TEMPLATE_DIR / "AimassBatch.template.json").read_text())
    definitions: list[dict[str, Any]] = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Batch::JobDefinition" and "ContainerProperties" in resource["Properties"]
    ]
    asked = [
        {entry["Type"]: float(entry["Value"]) for entry in definition["ContainerProperties"]["ResourceRequirements"]}
        for definition in definitions
    ]
    assert all(each == asked[0] for each in asked)
    return asked[0]


def test_one_job_of_the_stack_fits_on_a_small_laptop() -> None:
    capacity = job_capacity(num_cpus=1, memory_bytes=4 * _GIB)
    needs = _requirements()
    assert (capacity["vcpus"], capacity["memory_mib"]) == (needs["VCPU"], needs["MEMORY"])


def test_jobs_may_reserve_all_of_a_large_machine() -> None:
    assert job_capacity(num_cpus=16, memory_bytes=64 * _GIB) == {"vcpus": 16, "memory_mib": 64 * 1024}


def test_number_of_processors_may_be_unknown() -> None:
    assert job_capacity(num_cpus=None, memory_bytes=64 * _GIB)["vcpus"] == _requirements()["VCPU"]
