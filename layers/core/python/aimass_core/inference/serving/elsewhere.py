"""Models that answer somewhere else: in containers of a host, or in other invocations of the function."""

import base64
from collections import OrderedDict

from aimass_core.domain.signatures import Signature
from aimass_core.inference.serving.remote import RemoteModel
from aimass_core.inference.serving.store import ModelAddress, ModelStore
from aimass_core.ports import HostAnswer, Ports

_MAX_SIGNATURES = 1_000


class RemoteModels:
    """Knows how each is reached, and keeps its signature: a version's never changes."""

    def __init__(self, ports: Ports, store: ModelStore) -> None:
        self._ports, self._store = ports, store
        self._signatures: OrderedDict[ModelAddress, Signature] = OrderedDict()

    def member(self, address: ModelAddress, host: str | None) -> RemoteModel:
        """A member of a fusion: on its host, or where it has none in an invocation of its own."""
        return self.in_function(address) if host is None else self.on_host(address, host)

    def on_host(self, address: ModelAddress, host: str) -> RemoteModel:
        """What the containers of a host answer with. Raises UnavailableError."""

        def ask(body: bytes, content_type: str) -> HostAnswer:
            return self._ports.hosting.ask(host, body, content_type=content_type)

        return RemoteModel(signature=self._signature_of(address), ask=ask)

    def in_function(self, address: ModelAddress) -> RemoteModel:
        """What another invocation of the function answers with. Raises UnavailableError."""

        def ask(body: bytes, content_type: str) -> HostAnswer:
            answer = self._ports.predictor.predict(
                {
                    "workspace_id": address.workspace_id,
                    "model_id": address.model_id,
                    "number": address.number,
                    "digest": address.digest,
                    "content_type": content_type,
                    "body": base64.b64encode(body).decode(),
                }
            )
            return HostAnswer(
                status=answer["status"], content_type=answer["content_type"], content=base64.b64decode(answer["body"])
            )

        return RemoteModel(signature=self._signature_of(address), ask=ask)

    def _signature_of(self, address: ModelAddress) -> Signature:
        signature = self._signatures.get(address)
        if signature is None:
            signature = self._signatures[address] = self._store.load_signature(address)
            if len(self._signatures) > _MAX_SIGNATURES:
                self._signatures.popitem(last=False)
        self._signatures.move_to_end(address)
        return signature
