"""Models that answer somewhere else: in containers of a host, or in other invocations of the function."""

import base64
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from aimass_core.domain.endpoint_settings import EndpointSettings
from aimass_core.domain.expert_graphs import ExpertGraph
from aimass_core.domain.signatures import Signature
from aimass_core.errors import MalformedRequestError
from aimass_core.inference.serving.remote import RemoteModel
from aimass_core.inference.serving.store import ModelAddress, ModelStore
from aimass_core.ports import HostAnswer, Ports

SETTINGS_ATTRIBUTE = "aimass-settings"
_MAX_KEPT = 1_000
KeptT = TypeVar("KeptT")
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
    """Knows how each is reached, and keeps its signature, and how experts answer together: a version's never change."""

    def __init__(self, ports: Ports, store: ModelStore) -> None:
        self._ports, self._store = ports, store
        self._signatures: OrderedDict[ModelAddress, Signature] = OrderedDict()
        self._experts: OrderedDict[ModelAddress, ExpertGraph] = OrderedDict()

    def member(self, address: ModelAddress, host: str | None) -> RemoteModel:
        """A member of a fusion or a part of a decomposition: on its host, or where it has none in an invocation."""
        return self.in_function(address) if host is None else self.on_host(address, host)

    def on_host(self, address: ModelAddress, host: str, settings: EndpointSettings | None = None) -> RemoteModel:
        """What the containers of a host answer with. Raises UnavailableError.

        Args:
            settings: live parameters, which each request takes along: nothing else reaches every container of a host.
        """
        attributes = to_attributes(settings) if settings is not None else None

        def ask(body: bytes, content_type: str) -> HostAnswer:
            return self._ports.hosting.ask(host, body, content_type=content_type, attributes=attributes)

        return RemoteModel(signature=self.signature_of(address), ask=ask)

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

        return RemoteModel(signature=self.signature_of(address), ask=ask)

    def experts_of(self, address: ModelAddress) -> ExpertGraph:
        """How the parts of a decomposition answer together. Raises UnavailableError."""
        return _kept(self._experts, address, self._store.load_experts)

    def signature_of(self, address: ModelAddress) -> Signature:
        """What a version takes and gives. Raises UnavailableError."""
        return _kept(self._signatures, address, self._store.load_signature)


def _kept(
    known: OrderedDict[ModelAddress, KeptT], address: ModelAddress, load: Callable[[ModelAddress], KeptT]
) -> KeptT:
    found = known.get(address)
    if found is None:
        found = known[address] = load(address)
        if len(known) > _MAX_KEPT:
            known.popitem(last=False)
    known.move_to_end(address)
    return found
