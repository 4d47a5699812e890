"""Containers of hosts in memory: the real engine on what lies under the host's prefix."""

import base64
from pathlib import Path

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.endpoints import ServedModel
from aimass_core.domain.engines import HostStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.inference import members
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.ports import Host, HostAnswer
from aimass_core.services import records


class Containers:
    """Answers for the hosts of `ports`, and for the members of fusions that have invocations of their own.

    Attributes:
        asked: names of hosts (or of model ids where there is none), in order.
        faults: what is raised or answered instead, by the number of the version.
    """

    def __init__(self, ports: MemoryPorts, folder: Path) -> None:
        self._ports = ports
        self._endpoints = ServingEndpoints(ports, ModelStore(ports, folder), endpoint_ttl_seconds=0)
        self.asked: list[str] = []
        self.faults: dict[int, Exception] = {}
        ports.hosting.answer = self._answer_host

    def start_all(self) -> None:
        """Every container that was asked for is up."""
        for name in self._ports.hosting.hosts:
            self._ports.hosting.set_state(name, HostStatus.READY)

    def answer_invocation(self, payload: dict[str, object]) -> dict[str, object]:
        """Of the function, for a member."""
        self.asked.append(str(payload["model_id"]))
        self._fail(int(str(payload["number"])))
        return members.answer(self._endpoints, payload, seconds=10)

    def _answer_host(self, host: Host, body: bytes, content_type: str) -> HostAnswer:
        self.asked.append(host.name)
        _, workspace_id, model_id, number, _ = host.prefix.split("/")
        self._fail(int(number))
        version = records.get(self._ports, ModelVersion, workspace_id, model_id, int(number))
        served = ServedModel(model_id=model_id, model_name="", number=version.number, digest=version.digest)
        payload = {
            **served.model_dump(),
            "workspace_id": workspace_id,
            "content_type": content_type,
            "body": base64.b64encode(body).decode(),
        }
        answer = members.answer(self._endpoints, payload, seconds=10)
        return HostAnswer(
            status=answer["status"], content_type=answer["content_type"], content=base64.b64decode(answer["body"])
        )

    def _fail(self, number: int) -> None:
        if number in self.faults:
            raise self.faults[number]
