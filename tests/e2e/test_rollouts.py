"""A worse version gets a tenth of the requests under load: it is out within seconds, and no request fails."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import aimass
from aimass_core.adapters.dynamodb import DynamoDbRegistry
from aimass_core.adapters.memory import MemoryPorts
from aimass_core.adapters.s3 import S3BlobStore
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.endpoints import EndpointStatus
from tests.factories.served_models import register_versions, table_model
from tests.stack import Stack, wait_until

GUARDS = {"max_disagreement": 0.1, "min_requests": 3}


@dataclass
class Load:
    """Clients that ask without a pause."""

    stack: Stack
    answered: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        rows = [{"age": age, "city": "Paris"} for age in range(18, 90)]
        with self.stack.client() as client:
            while not self.ended.is_set():
                try:
                    answer = client.endpoints.predict("rolled", rows)
                except aimass.AimassError as error:
                    self.faults.append(error.message)
                else:
                    self.answered[answer.model_version] += 1
                    self.faults += [each.error for each in answer.predictions if each.error]


def register(stack: Stack, client: aimass.Client) -> None:
    """`rolled@1`, and `rolled@2`, which takes ages for a hundred times what they are."""
    ports = MemoryPorts(
        registry=DynamoDbRegistry(stack.aws("dynamodb"), table=stack.outputs["RegistryTableName"]),  # type: ignore[arg-type]
        lake=S3BlobStore(stack.aws("s3"), bucket=stack.outputs["LakeBucketName"]),  # type: ignore[arg-type]
    )
    info = client.system.get()
    principal = Principal(
        workspace_id=info.workspace_id, workspace_name=info.workspace_name, actor="key_test", role=Role.ADMIN
    )
    register_versions(ports, principal, table_model(), table_model(scale=1.0), name="rolled")


def test_g8_a_worse_version_under_load_is_rolled_back_and_no_request_fails(stack: Stack, client: aimass.Client) -> None:
    register(stack, client)
    client.endpoints.deploy("rolled@1")

    load = Load(stack)
    threads = [threading.Thread(target=load.work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: load.answered[1])
        plan = {"percent": 10, "step_percent": 20, "every_seconds": 60, "guards": GUARDS}
        client.endpoints.deploy("rolled@2", rollout=plan)
        wait_until(lambda: client.endpoints.get("rolled").status is EndpointStatus.READY)
        endpoint = client.endpoints.get("rolled")
        at_end = load.answered[1]
        wait_until(lambda: load.answered[1] > at_end + 3)
    finally:
        load.ended.set()
        for thread in threads:
            thread.join()
    assert not load.faults
    assert load.answered[2] >= 3
    assert endpoint.serving is not None
    assert endpoint.serving.ref == "rolled@1"
    assert endpoint.status_reason is not None
    assert "Rolled back from rolled@2 at 10 % to rolled@1. It disagrees" in endpoint.status_reason
    event = next(each for each in endpoint.history() if each.action == "rolled_back")
    assert event.created_by == "platform:rollouts"
    assert event.counts is not None
    assert event.counts.candidate.disagreement is not None
    assert event.counts.candidate.disagreement > 0.1

    client.endpoints.set("rolled", threshold=0.999)
    row = {"age": 40, "city": "Rome"}
    wait_until(lambda: client.endpoints.predict("rolled", row).predictions[0].label == "no")
    client.endpoints.revert("rolled")
    wait_until(lambda: client.endpoints.predict("rolled", row).predictions[0].label == "yes")
