"""Which service runs a job, and on what machines."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from aimass_core.domain.common import Request

INSTANCE_TYPE = r"^ml\.[a-z][a-z0-9-]{1,20}\.[a-z0-9]{3,12}$"
OF_BATCH = ("num_nodes", "vcpus", "memory_mib", "gpus")
OF_SAGEMAKER = ("instance_type", "instance_count", "spot", "max_wait_seconds")


class Backend(StrEnum):
    """A compute service of AWS."""

    BATCH = "batch"
    SAGEMAKER = "sagemaker"


class Compute(Request):
    """What one job gets. On Batch a share of a machine, by default the job definition's; on SageMaker whole machines
    of its own. Fields of the other service are refused."""

    backend: Backend = Backend.BATCH
    num_nodes: int = Field(
        default=1, ge=1, le=20, strict=True, description="Machines that train together, each with these resources."
    )
    vcpus: int | None = Field(default=None, ge=1, le=192, strict=True)
    memory_mib: int | None = Field(default=None, ge=512, le=1_572_864, strict=True)
    gpus: int | None = Field(default=None, ge=0, le=16, strict=True)
    instance_type: str | None = Field(default=None, pattern=INSTANCE_TYPE, description="Such as ml.m5.xlarge.")
    instance_count: int = Field(default=1, ge=1, le=20, strict=True, description="Machines that train together.")
    spot: bool = Field(
        default=False, strict=True, description="Cheaper machines, which may be taken away; the job then goes on."
    )
    max_wait_seconds: int | None = Field(
        default=None,
        ge=60,
        le=28 * 86_400,
        strict=True,
        description="With spot: to the end of the job, waiting included.",
    )

    @property
    def num_machines(self) -> int:
        """How many work together, on either service."""
        return self.num_nodes if self.backend is Backend.BATCH else self.instance_count

    @model_validator(mode="after")
    def _check_backend(self) -> Self:
        foreign = OF_BATCH if self.backend is Backend.SAGEMAKER else OF_SAGEMAKER
        given = [name for name in foreign if name in self.model_fields_set and self._is_chosen(name)]
        if given and self.backend is Backend.SAGEMAKER:
            other = "instance_count says how many machines there are"
            if given[0] != "num_nodes":
                other = "instance_type says what a machine has"
            raise ValueError(f"{given[0]} belongs to Batch; on SageMaker {other}")
        if given:
            raise ValueError(f"{given[0]} belongs to SageMaker: add backend 'sagemaker', or leave it out")
        if self.backend is Backend.SAGEMAKER and self.instance_type is None:
            raise ValueError("SageMaker needs an instance_type, such as ml.m5.xlarge")
        if self.max_wait_seconds is not None and not self.spot:
            raise ValueError("max_wait_seconds is for spot machines only: add spot, or leave it out")
        if self.spot and self.max_wait_seconds is None:
            raise ValueError("spot needs max_wait_seconds: how long the job may take, waiting for machines included")
        return self

    def _is_chosen(self, name: str) -> bool:
        """Whether a field says something: a client may send the defaults too."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)
