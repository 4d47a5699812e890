"""What answers under a name: endpoints from the registry and models by digest, both kept for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aimass_core.domain.endpoint_settings import FanOut
from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.engines import EngineKind
from aimass_core.domain.graph_check import MAX_MODEL_BYTES
from aimass_core.errors import NotFoundError, UnavailableError
from aimass_core.inference.serving.elsewhere import RemoteModels
from aimass_core.inference.serving.fusion import AnyModel, LoadedFusion
from aimass_core.inference.serving.model import LoadedModel
from aimass_core.inference.serving.store import ModelAddress, ModelRefusedError, ModelStore
from aimass_core.ports import Ports
from aimass_core.services import records

_MAX_ENDPOINTS = 1_000
_FAILURE_SECONDS = 5.0
_PAGE_ITEMS = 100
_WAIT_FOR_ALL = FanOut()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The one model version that answers a request, whatever is deployed meanwhile."""

    endpoint: Endpoint
    version: ServedModel
    model: AnyModel


class EndpointSource(Protocol):
    """Where endpoints and their models come from: the registry and the lake, or folders of a container."""

    def find(self, workspace_id: str, name: str, /) -> Endpoint:
        """By name or id. Raises NotFoundError."""

    def list_all(self, workspace_id: str, /) -> list[Endpoint]:
        """Of one workspace, newest first."""

    def serve(self, workspace_id: str, name: str, /, *, number: int | None = None) -> Served:
        """What answers now. Raises NotFoundError, UnavailableError."""


class ServingEndpoints:
    """Endpoints of all workspaces, each visible in its own only.

    Args:
        endpoint_ttl_seconds: how long an endpoint is taken to be as it was read.
        monotonic: seconds, for expiry.
    """

    def __init__(
        self,
        ports: Ports,
        store: ModelStore,
        *,
        endpoint_ttl_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports, self._monotonic, self._ttl_seconds = ports, monotonic, endpoint_ttl_seconds
        self._models = ModelCache(store, monotonic=monotonic)
        self._remote = RemoteModels(ports, store)
        self._endpoints: OrderedDict[tuple[str, str], tuple[float, Endpoint]] = OrderedDict()

    def find(self, workspace_id: str, name: str) -> Endpoint:
        """By name or id. Raises NotFoundError, also for another workspace's."""
        key, now = (workspace_id, name), self._monotonic()
        kept = self._endpoints.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        self._endpoints.pop(key, None)
        endpoint = records.find(self._ports, Endpoint, workspace_id, name)
        self._endpoints[key] = (now + self._ttl_seconds, endpoint)
        if len(self._endpoints) > _MAX_ENDPOINTS:
            self._endpoints.popitem(last=False)
        return endpoint

    def list_all(self, workspace_id: str) -> list[Endpoint]:
        """Of one workspace, newest first."""
        found: list[Endpoint] = []
        start = None
        while True:
            page, start = records.list_page(self._ports, Endpoint, workspace_id, limit=_PAGE_ITEMS, start=start)
            found += page
            if start is None or len(found) >= _MAX_ENDPOINTS:
                return found

    def serve(self, workspace_id: str, name: str, *, number: int | None = None) -> Served:
        """What answers now.

        Raises:
            NotFoundError: No such endpoint, or it serves another version than `number`.
            UnavailableError: It serves nothing yet, or its model cannot be loaded.
        """
        endpoint = self.find(workspace_id, name)
        version = require_version(endpoint, number)
        model = self.load(workspace_id, version, weights=endpoint.weights, fan_out=endpoint.settings.fan_out)
        return Served(endpoint=endpoint, version=version, model=model)

    def load(
        self,
        workspace_id: str,
        version: ServedModel,
        *,
        weights: Mapping[str, float] | None = None,
        fan_out: FanOut = _WAIT_FOR_ALL,
    ) -> AnyModel:
        """What answers for a version, on its engine: of a fusion that is served apart with its members.

        Raises UnavailableError.
        """
        address = ModelAddress(
            workspace_id=workspace_id, model_id=version.model_id, number=version.number, digest=version.digest
        )
        if version.host is not None:
            return self._remote.on_host(address, version.host)
        model = self._models.get(address)
        if model.combines is None:
            return model
        graph, places = model.combines.graph, model.combines.members
        addresses = [
            ModelAddress(workspace_id=workspace_id, model_id=place.model_id, number=place.number, digest=placed.digest)
            for place, placed in zip(places, graph.members, strict=True)
        ]
        if version.engine.kind is not EngineKind.DISTRIBUTED:
            members = [self._models.get(each) for each in addresses]
            return LoadedFusion(combining=model, graph=graph, members=members, weights=weights)
        hosts = {(member.model_id, member.number): member.host for member in version.members}
        remote = [self._remote.member(each, hosts[each.model_id, each.number]) for each in addresses]
        return LoadedFusion(combining=model, graph=graph, members=remote, weights=weights, fan_out=fan_out)


def require_version(endpoint: Endpoint, number: int | None) -> ServedModel:
    """The version that an endpoint serves. Raises NotFoundError where that is not `number`, UnavailableError."""
    if endpoint.serving is None:
        reason = f": {endpoint.status_reason}" if endpoint.status_reason else ". Wait until it is READY."
        raise UnavailableError(f"The endpoint {endpoint.name!r} serves nothing, it is {endpoint.status}{reason}")
    if number is not None and number != endpoint.serving.number:
        raise NotFoundError(
            f"The endpoint {endpoint.name!r} serves version {endpoint.serving.number}, not {number}. "
            "Leave the version out, or deploy that one."
        )
    return endpoint.serving


class ModelCache:
    """Loaded models, the least recently used ones dropped; what cannot be loaded is not tried again at once."""

    def __init__(
        self, store: ModelStore, *, max_bytes: int = MAX_MODEL_BYTES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._max_bytes, self._monotonic = store, max_bytes, monotonic
        # NOTE: the address is part of the key: equal bytes of two workspaces stay apart.
        self._models: OrderedDict[ModelAddress, LoadedModel] = OrderedDict()
        self._failures: dict[ModelAddress, tuple[float, str]] = {}

    def get(self, address: ModelAddress) -> LoadedModel:
        """Raises UnavailableError."""
        model = self._models.get(address)
        if model is None:
            model = self._load(address)
            self._models[address] = model
            self._make_room()
        self._models.move_to_end(address)
        return model

    def __len__(self) -> int:
        return len(self._models)

    def _load(self, address: ModelAddress) -> LoadedModel:
        until, message = self._failures.get(address, (0.0, ""))
        if self._monotonic() < until:
            raise ModelRefusedError(message)
        try:
            model = self._store.load(address)
        except ModelRefusedError as error:
            self._failures = {address: (self._monotonic() + _FAILURE_SECONDS, error.message)}
            raise
        self._failures.pop(address, None)
        return model

    def _make_room(self) -> None:
        while len(self._models) > 1 and sum(model.num_bytes for model in self._models.values()) > self._max_bytes:
            self._models.popitem(last=False)
