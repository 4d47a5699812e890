"""Estimates and budgets: what more data, more work and dearer machines do to them."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compute import Backend, Compute
from aimass_core.domain.estimates import JobEstimate
from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, ImageShape, Schema
from aimass_core.errors import InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.services import estimates, job_failures, jobs, prices, records
from tests.factories.platform import LIMITS, TABLE, add_dataset, add_version, new_principal

SAGEMAKER = {"backend": "sagemaker", "instance_type": "ml.m5.large"}


@pytest.fixture
def principal(ports: MemoryPorts) -> Principal:
    principal = new_principal()
    add_rows(ports, principal, "adult", num_rows=30_000)
    return principal


def add_rows(ports: MemoryPorts, principal: Principal, name: str, *, num_rows: int, schema: Schema = TABLE) -> None:
    """A dataset of so many rows."""
    dataset = add_dataset(ports, principal, name=name, target=schema.target)
    version = add_version(ports, principal, dataset, schema=schema)
    sizes = {"num_rows": num_rows, "num_bytes": num_rows * 20, "num_columns": len(schema.columns)}
    records.save(ports, version, dataset.id, version.number, **sizes)


def estimate(ports: MemoryPorts, principal: Principal, **body: Any) -> JobEstimate:
    spec = {"dataset": "adult", "algorithm": "xgboost", **body.pop("spec", {})}
    return estimates.estimate(ports, principal, JobCreate.model_validate({"spec": spec, **body}))


def expected_seconds(ports: MemoryPorts, principal: Principal, **body: Any) -> float:
    found = estimate(ports, principal, **body).seconds
    assert found is not None
    assert found.low < found.expected < found.high
    return found.expected


def test_more_rows_more_passes_and_more_folds_take_longer(ports: MemoryPorts, principal: Principal) -> None:
    add_rows(ports, principal, "large", num_rows=3_000_000)
    base = expected_seconds(ports, principal)
    assert expected_seconds(ports, principal, spec={"dataset": "large"}) > 10 * base
    rounds = {"hyperparameters": {"num_rounds": 20_000}}
    assert expected_seconds(ports, principal, spec=rounds) > base
    assert expected_seconds(ports, principal, spec={"folds": 5}) > base
    assert expected_seconds(ports, principal, compute={"vcpus": 16}) < base


def test_memory_grows_with_the_data_and_a_shortage_is_foretold(ports: MemoryPorts, principal: Principal) -> None:
    add_rows(ports, principal, "huge", num_rows=200_000_000)
    small, huge = estimate(ports, principal), estimate(ports, principal, spec={"dataset": "huge"})
    assert small.memory_mib is not None
    assert huge.memory_mib is not None
    assert huge.memory_mib.expected > 50 * small.memory_mib.expected
    assert not any("memory" in note for note in small.notes)
    assert any("more than the 8,192 MiB of its compute" in note for note in huge.notes)
    assert any("raise max_seconds" in note for note in huge.notes)


def test_images_cost_by_their_pixels(ports: MemoryPorts, principal: Principal) -> None:
    columns = [Column(name="image", type=ColumnType.IMAGE), Column(name="label", type=ColumnType.STRING)]
    seconds = []
    for name, size in (("small", 16), ("wide", 64)):
        shape = ImageShape(height=size, width=size, channels=3)
        schema = Schema(kind=DatasetKind.IMAGES, columns=columns, target="label", image_shape=shape)
        add_rows(ports, principal, name, num_rows=10_000, schema=schema)
        seconds.append(expected_seconds(ports, principal, spec={"dataset": name, "algorithm": "cnn"}))
    assert seconds[1] > 5 * seconds[0]


def test_cost_is_the_time_at_the_price_of_the_compute(ports: MemoryPorts, principal: Principal) -> None:
    found = estimate(ports, principal, compute=SAGEMAKER)
    assert found.usd_per_hour == 0.115
    assert found.seconds is not None
    assert found.cost_usd is not None
    assert found.cost_usd.expected == pytest.approx(found.seconds.expected * 0.115 / 3600, rel=1e-3)
    assert found.max_cost_usd == pytest.approx(0.115)
    assert "2026" in found.price_source
    assert any("factor of 5" in note for note in found.notes)
    two = estimate(ports, principal, compute={**SAGEMAKER, "instance_count": 2})
    assert two.usd_per_hour == pytest.approx(0.23)


def test_estimate_of_what_cannot_be_submitted_says_why_and_submits_nothing(
    ports: MemoryPorts, principal: Principal
) -> None:
    with pytest.raises(NotFoundError):
        estimate(ports, principal, spec={"dataset": "unknown"})
    with pytest.raises(InvalidDataError, match="Did you mean 'income'"):
        estimate(ports, principal, spec={"target": "incom"})
    estimate(ports, principal)
    assert jobs.list_jobs(ports, principal, limit=10) == ([], None)


def test_script_is_bounded_by_its_limits_alone(ports: MemoryPorts, principal: Principal) -> None:
    ports.lake.put(keys.job_source(principal.workspace_id, "0" * 64), b"packed")
    spec = {"kind": "script", "source": "0" * 64, "entry_point": "train.py", "channels": {"train": "adult"}}
    found = estimates.estimate(ports, principal, JobCreate.model_validate({"spec": spec}))
    assert (found.seconds, found.memory_mib, found.cost_usd) == (None, None, None)
    assert found.max_cost_usd == pytest.approx(prices.usd_per_hour(Compute()), abs=1e-6)
    assert any("not known" in note for note in found.notes)


def test_instance_without_a_price_has_no_cost_and_no_budget(ports: MemoryPorts, principal: Principal) -> None:
    compute = {**SAGEMAKER, "instance_type": "ml.x9.huge"}
    assert estimate(ports, principal, compute=compute).cost_usd is None
    with pytest.raises(InvalidRequestError, match=r"no price of ml.x9.huge.*max_seconds"):
        estimate(ports, principal, compute=compute, max_cost_usd=1)


# --- budgets ---------------------------------------------------------------------------------------------------------


def submit(ports: MemoryPorts, principal: Principal, **body: Any) -> Any:
    request = JobCreate.model_validate({"spec": {"dataset": "adult", "algorithm": "xgboost"}, **body})
    return jobs.create(ports, principal, request, limits=LIMITS)


def test_budget_becomes_the_limit_where_it_buys_less(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal, compute=SAGEMAKER, max_cost_usd=0.05)
    assert job.max_seconds == int(0.05 / 0.115 * 3600)
    assert job.budget.seconds == job.max_seconds
    assert "so it is the limit" in job.budget.explanation


def test_job_whose_budget_ran_out_says_so(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal, max_cost_usd=0.01)
    cause = job_failures.describe("timeout", job).cause
    assert f"max_seconds of {job.max_seconds}. Its max_cost_usd of 0.01 bought no more." in cause
    rich = submit(ports, principal, max_cost_usd=1_000)
    assert "max_cost_usd" not in job_failures.describe("timeout", rich).cause


def test_max_seconds_stays_the_limit_where_it_is_less(ports: MemoryPorts, principal: Principal) -> None:
    job = submit(ports, principal, max_seconds=600, max_cost_usd=1_000)
    assert job.max_seconds == 600
    assert "max_seconds is the limit" in job.budget.explanation
    assert submit(ports, principal).budget is None


def test_budget_for_less_than_a_minute_is_refused_with_what_a_minute_costs(
    ports: MemoryPorts, principal: Principal
) -> None:
    with pytest.raises(InvalidRequestError, match=r"buys 3 s.*0.001917 USD"):
        submit(ports, principal, compute=SAGEMAKER, max_cost_usd=0.0001)


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), 1e9])
def test_budget_that_is_no_amount_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="max_cost_usd"):
        JobCreate.model_validate({"spec": {"dataset": "adult", "algorithm": "linear"}, "max_cost_usd": budget})


def test_price_of_a_share_grows_with_each_part_of_it() -> None:
    def price(**share: int) -> float:
        found = prices.usd_per_hour(Compute(**share))  # type: ignore[arg-type]
        assert found is not None
        return found

    base = price(vcpus=2, memory_mib=8_192)
    assert 0.08 < base < 0.12, "near an m5.large"
    assert price(vcpus=4, memory_mib=8_192) > base
    assert price(vcpus=2, memory_mib=16_384) > base
    assert price(vcpus=4, memory_mib=16_384) == pytest.approx(2 * base)
    assert price(vcpus=2, memory_mib=8_192, gpus=1) > base + 0.2


def test_every_machine_of_the_table_is_dearer_than_nothing() -> None:
    for name, machine in prices.load().sagemaker.items():
        compute = Compute(backend=Backend.SAGEMAKER, instance_type=name)
        assert prices.load().machine(compute) == machine
