"""Which machines a job may ask for."""

from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.domain.compute import Backend, Compute
from aimass_core.domain.jobs import JobCreate

SPEC = {"dataset": "adult", "algorithm": "xgboost"}
SAGEMAKER = {"backend": "sagemaker", "instance_type": "ml.m5.xlarge"}


def test_batch_is_the_default() -> None:
    assert Compute().backend is Backend.BATCH
    assert Compute.model_validate(Compute(vcpus=2).model_dump(mode="json")) == Compute(vcpus=2)


def test_sagemaker_takes_instances_and_waits_for_spot_ones() -> None:
    compute = Compute(**SAGEMAKER, instance_count=2, spot=True, max_wait_seconds=7200)
    assert Compute.model_validate_json(compute.model_dump_json()) == compute
    assert JobCreate(spec=SPEC, compute=compute, max_seconds=7200).compute == compute


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"backend": "sagemaker"}, "needs an instance_type"),
        ({**SAGEMAKER, "vcpus": 2}, "vcpus belongs to Batch"),
        ({**SAGEMAKER, "num_nodes": 2}, "num_nodes belongs to Batch; on SageMaker instance_count says"),
        ({"num_nodes": 0}, "greater than or equal to 1"),
        ({"instance_type": "ml.m5.xlarge"}, "instance_type belongs to SageMaker"),
        ({"instance_count": 2}, "instance_count belongs to SageMaker"),
        ({"spot": True, "max_wait_seconds": 90}, "spot belongs to SageMaker"),
        ({**SAGEMAKER, "spot": True}, "spot needs max_wait_seconds"),
        ({**SAGEMAKER, "max_wait_seconds": 90}, "for spot machines only"),
        ({**SAGEMAKER, "instance_type": "m5.xlarge"}, "should match pattern"),
        ({**SAGEMAKER, "instance_type": "ml.m5.xlarge; rm -rf /"}, "should match pattern"),
        ({**SAGEMAKER, "instance_count": 0}, "greater than or equal to 1"),
        ({"backend": "laptop"}, "'batch' or 'sagemaker'"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Compute.model_validate(fields)


def test_waiting_includes_running() -> None:
    compute = Compute(**SAGEMAKER, spot=True, max_wait_seconds=600)
    assert JobCreate(spec=SPEC, compute=compute, max_seconds=600)
    with pytest.raises(ValidationError, match=r"max_wait_seconds is 600, but includes max_seconds, which is 601"):
        JobCreate(spec=SPEC, compute=compute, max_seconds=601)
