"""What compute costs an hour, by a checked-in table (`prices.json`) that `python -m infra.prices` writes anew."""

import math
from functools import cache
from importlib import resources

from pydantic import Field

from aimass_core.domain.common import Contract
from aimass_core.domain.compute import Backend, Compute
from aimass_core.domain.jobs import Budget, Job, JobCreate, num_workers_of
from aimass_core.errors import ErrorDetail, InvalidRequestError

# Of the job definition (infra/cdk/components/job_definition.py; a test compares both).
DEFAULT_VCPUS = 2
DEFAULT_MEMORY_MIB = 8_192
# Of the function that serves models, in the default deployment (infra/cdk/settings.py; a test compares both).
PREDICTIONS_MEMORY_MIB = 2_048
_MIN_SECONDS = 60


class Machine(Contract):
    """An instance type, on demand."""

    usd_per_hour: float = Field(gt=0)
    vcpus: int
    memory_gib: float
    gpus: int = 0


class PriceTable(Contract):
    """`prices.json`."""

    region: str
    as_of: str
    source: str
    ec2: dict[str, Machine]
    sagemaker: dict[str, Machine] = Field(description="Of training.")
    hosting: dict[str, Machine] = Field(description="Of endpoints in containers.")
    athena_usd_per_tib: float = Field(gt=0, description="Of what queries read.")
    lambda_usd_per_request: float = Field(gt=0, description="With API Gateway's part.")
    lambda_usd_per_gib_second: float = Field(gt=0)
    s3_usd_per_gib_month: float = Field(gt=0)

    def machine(self, compute: Compute) -> Machine | None:
        """What a job gets, and for how much. None for an instance type that the table lacks.

        Batch packs containers onto shared machines: theirs is the share of vCPUs, memory and GPUs, at what those cost
        as the difference between machines that have more and less of them.
        """
        if compute.backend is Backend.SAGEMAKER:
            return self.sagemaker.get(compute.instance_type or "")
        vcpus, memory_gib = compute.vcpus or DEFAULT_VCPUS, (compute.memory_mib or DEFAULT_MEMORY_MIB) / 1024
        gpus = compute.gpus or 0
        small, large, with_gpu = self.ec2["c5.large"], self.ec2["r5.large"], self.ec2["g4dn.xlarge"]
        per_gib = (large.usd_per_hour - small.usd_per_hour) / (large.memory_gib - small.memory_gib)
        per_vcpu = (small.usd_per_hour - small.memory_gib * per_gib) / small.vcpus
        per_gpu = with_gpu.usd_per_hour - with_gpu.vcpus * per_vcpu - with_gpu.memory_gib * per_gib
        usd_per_hour = vcpus * per_vcpu + memory_gib * per_gib + gpus * per_gpu
        return Machine(usd_per_hour=usd_per_hour, vcpus=vcpus, memory_gib=memory_gib, gpus=gpus)


@cache
def load() -> PriceTable:
    """The table of this release."""
    return PriceTable.model_validate_json(resources.files("aimass_core.services").joinpath("prices.json").read_bytes())


def usd_per_hour(compute: Compute, *, num_machines: int = 1) -> float | None:
    """Of so many machines. None where the table lacks them."""
    machine = load().machine(compute)
    return None if machine is None else machine.usd_per_hour * num_machines


def hosting_usd_per_hour(instance_type: str) -> float | None:
    """Of one machine of an endpoint. None where the table lacks it."""
    machine = load().hosting.get(instance_type)
    return None if machine is None else machine.usd_per_hour


def rate_of(request: JobCreate) -> float | None:
    """USD per hour of all machines or workers of a job. None where the table lacks them."""
    spec = request.spec
    num_machines = num_workers_of(spec) or request.compute.num_machines
    return usd_per_hour(request.compute, num_machines=num_machines)


def cost_of_job(job: Job, *, seconds: float) -> float | None:
    """USD of so many seconds of all machines or workers of a job. None where the table lacks them."""
    rate = usd_per_hour(job.compute, num_machines=num_machines_of(job))
    return None if rate is None else rate * seconds / 3600


def num_machines_of(job: Job) -> int:
    """Machines or workers of a job."""
    return num_workers_of(job.spec) or job.compute.num_machines


def resolve_budget(request: JobCreate) -> Budget | None:
    """What `max_cost_usd` buys. Raises InvalidRequestError where it cannot be told, or buys less than a minute."""
    cost = request.max_cost_usd
    if cost is None:
        return None
    rate, table = rate_of(request), load()
    if rate is None:
        raise _refuse(
            f"There is no price of {request.compute.instance_type} in the table of {table.as_of}, which has: "
            f"{', '.join(table.sagemaker)}. Limit the job by max_seconds instead."
        )
    seconds = math.floor(cost / rate * 3600)
    if seconds < _MIN_SECONDS:
        raise _refuse(
            f"max_cost_usd {cost:g} buys {seconds} s of this compute ({rate:.4f} USD an hour); a job needs at least "
            f"{_MIN_SECONDS} s, which is {rate * _MIN_SECONDS / 3600:.6f} USD."
        )
    less = seconds < request.max_seconds
    which = f"less than max_seconds {request.max_seconds}, so it is the limit" if less else "max_seconds is the limit"
    return Budget(
        max_cost_usd=cost,
        usd_per_hour=round(rate, 6),
        seconds=seconds,
        explanation=f"{cost:g} USD buys {seconds:,} s at {rate:.4f} USD an hour ({table.region}, {table.as_of}, on "
        f"demand): {which}. An attempt that follows an interruption has the same limit again.",
    )


def _refuse(message: str) -> InvalidRequestError:
    return InvalidRequestError(
        message, details=[ErrorDetail(location="body.max_cost_usd", message="cannot be turned into a limit")]
    )
