"""The adapter of SageMaker's endpoints against the local plane, which runs real containers."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from aimass_core.adapters.hosting import HostPlan, SageMakerHosting
from aimass_core.domain.common import new_id
from aimass_core.domain.engines import HostStatus
from aimass_core.domain.hosts import to_host_name
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import Host, Hosting
from tests.contracts.hosting import HostingContract, is_ready, wait_for_host
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud, cloud
from tests.integration.local_sagemaker.endpoints import GUEST_IMAGE, ROLE

__all__ = ["cloud"]


@pytest.fixture
def adapter(cloud: Cloud) -> SageMakerHosting:
    plan = HostPlan(image=GUEST_IMAGE, role_arn=ROLE, bucket=BUCKET)
    return SageMakerHosting(cloud.sagemaker, cloud.runtime, plan=lambda: plan)


class TestSageMakerHosting(HostingContract):
    @pytest.fixture
    def hosting(self, adapter: SageMakerHosting) -> Hosting:
        return adapter

    @pytest.fixture
    def host(self, hosting: Hosting, cloud: Cloud) -> Iterator[Host]:
        version = new_id("mdl")
        cloud.s3.put_object(Bucket=BUCKET, Key=f"models/{version}/1/model.onnx", Body=b"graph")
        name = to_host_name(new_id("ws"), new_id("ep"), new_id("host"))
        yield Host(name=name, prefix=f"models/{version}/1/", instance_type="ml.c5.large", instances=1)
        hosting.delete(name)

    def test_errors_of_containers_are_told_as_they_are(self, adapter: SageMakerHosting, host: Host) -> None:
        adapter.create(host)
        wait_for_host(adapter, host.name, is_ready)
        answer = adapter.ask(host.name, b"fail", content_type="text/plain")
        assert (answer.status, answer.content) == (422, b"a row is missing")

    def test_a_request_whose_container_died_is_asked_once_more(self, adapter: SageMakerHosting, host: Host) -> None:
        adapter.create(host)
        wait_for_host(adapter, host.name, is_ready)
        with pytest.raises(UnavailableError, match="twice"):
            adapter.ask(host.name, b"die", content_type="text/plain")
        assert adapter.ask(host.name, b"again", content_type="text/plain").status == 200

    def test_what_never_comes_up_says_why(self, adapter: SageMakerHosting, host: Host, cloud: Cloud) -> None:
        cloud.s3.put_object(Bucket=BUCKET, Key=f"{host.prefix}broken", Body=b"")
        adapter.create(host)
        state = wait_for_host(adapter, host.name, lambda state: state is not None and state.status is HostStatus.FAILED)
        assert state is not None
        assert "did not pass the ping health check" in str(state.reason)

    def test_nothing_is_left_of_a_host(self, adapter: SageMakerHosting, host: Host, cloud: Cloud) -> None:
        adapter.create(host)
        adapter.delete(host.name)
        wait_for_host(adapter, host.name, lambda state: state is None)
        with pytest.raises(ClientError, match="Could not find"):
            cloud.sagemaker.describe_model(ModelName=host.name)
        with pytest.raises(ClientError, match="Could not find"):
            cloud.sagemaker.describe_endpoint_config(EndpointConfigName=host.name)

    def test_machines_that_do_not_exist_are_refused(self, adapter: SageMakerHosting, host: Host) -> None:
        wrong = Host(name=host.name, prefix=host.prefix, instance_type="ml.x9.huge", instances=1)
        with pytest.raises(InvalidRequestError, match="SageMaker will not host this model"):
            adapter.create(wrong)
