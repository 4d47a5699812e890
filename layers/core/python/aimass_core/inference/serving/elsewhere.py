"""Models that answer somewhere else: in containers of a host, or in other invocations of the function."""

import base64
from collections import OrderedDict

from aimass_core.domain.endpoint_settings import EndpointSettings
from aimass_core.domain.signatures import Signature
from aimass_core.errors import MalformedRequestError
from aimass_core.inference.serving.remote import RemoteModel
from aimass_core.inference.serving.store import ModelAddress, ModelStore
from aimass_core.ports import HostAnswer, Ports

SETTINGS_ATTRIBUTE = "aimass-settings"
_MAX_SIGNATURES = 1_000
_OF_CONTAINERS = {"version", "batching"}


def to_attributes(settings: EndpointSettings) -> str | None:
    """SageMaker's custom attributes that carry what containers have to know; None while nothing was ever set."""
    if settings.version == EndpointSettings().version:
        return None
    told = settings.model_dump_json(include=_OF_CONTAINERS).encode()
    return f"{SETTINGS_ATTRIBUTE}={base64.urlsafe_b64encode(told).decode()}"


def from_attribute(value: str) -> EndpointSettings:
    """The reverse, of the attribute's value. Raises MalformedRequestError."""
    try:
        return EndpointSettings.model_validate_json(base64.urlsafe_b64decode(value))
    except ValueError as error:
        raise MalformedRequestError(f"The attribute {SETTINGS_ATTRIBUTE} holds no settings.") from error


class RemoteModels:
    """Knows how each is reached, and keeps its signature: a version's never changes."""

    def __init__(self, ports: Ports, store: ModelStore) -> None:
        self._ports, self._store = ports, store
        self._signatures: OrderedDict[ModelAddress, Signature] = OrderedDict()

    def member(self, address: ModelAddress, host: str | None) -> RemoteModel:
        """A member of a fusion: on its host, or where it has none in an invocation of its own."""
        return self.in_function(address) if host is None else self.on_host(address, host)

    def on_host(self, address: ModelAddress, host: str, settings: EndpointSettings | None = None) -> RemoteModel:
        """What the containers of a host answer with. Raises UnavailableError.

        Args:
            settings: live parameters, which each request takes along: nothing else reaches every container of a host.
        """
        attributes = to_attributes(settings) if settings is not None else None

        def ask(body: bytes, content_type: str) -> HostAnswer:
            return self._ports.hosting.ask(host, body, content_type=content_type, attributes=attributes)

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
