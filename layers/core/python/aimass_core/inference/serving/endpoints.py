"""What answers under a name: endpoints from the registry and models by digest, both kept for a while."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aimass_core.domain import keys
from aimass_core.domain.endpoint_settings import EndpointSettings
from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.engines import EngineKind
from aimass_core.domain.graph_check import MAX_MODEL_BYTES
from aimass_core.domain.settings.inference import InferenceSettings
from aimass_core.errors import NotFoundError, UnavailableError
from aimass_core.inference.capturing.capturing import Capturing
from aimass_core.inference.serving.counting import Counting
from aimass_core.inference.serving.decomposed import LoadedDecomposition
from aimass_core.inference.serving.elsewhere import RemoteModels
from aimass_core.inference.serving.fusion import LoadedFusion
from aimass_core.inference.serving.model import AnyModel, Combines, LoadedModel
from aimass_core.inference.serving.store import ModelAddress, ModelRefusedError, ModelStore
from aimass_core.inference.serving.threshold import with_threshold
from aimass_core.ports import Ports
from aimass_core.services import records

_MAX_ENDPOINTS = 1_000
_FAILURE_SECONDS = 5.0
_PAGE_ITEMS = 100
_AS_IT_IS = EndpointSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The one model version that answers a request, whatever is deployed meanwhile."""

    endpoint: Endpoint
    version: ServedModel
    model: AnyModel
    missing: Mapping[str, str] = field(default_factory=dict)
    """Filled in as the model answers: members of a fusion, or experts, that did not, and why."""

    def list_missing(self) -> list[str]:
        """What to tell the caller of them."""
        what = "expert" if self.version.is_decomposed else "member"
        return [f"answered without the {what} {name}: {reason}" for name, reason in self.missing.items()]


class EndpointSource(Protocol):
    """Where endpoints and their models come from: the registry and the lake, or folders of a container."""

    def find(self, workspace_id: str, name: str, /) -> Endpoint:
        """By name or id. Raises NotFoundError."""

    def list_all(self, workspace_id: str, /) -> list[Endpoint]:
        """Of one workspace, newest first."""

    def serve(self, workspace_id: str, name: str, /, *, number: int | None = None) -> Served:
        """What answers now. Raises NotFoundError, UnavailableError."""

    def unload(self, workspace_id: str, name: str) -> None:
        """Frees the memory of what an endpoint serves. Raises NotFoundError."""

    def describe_cache(self, workspace_id: str) -> Mapping[str, int | float | None]:
        """How the cache of loaded models does; see ModelCache."""


class ServingEndpoints:
    """Endpoints of all workspaces, each visible in its own only.

    Args:
        endpoint_ttl_seconds: how long an endpoint is taken to be as it was read. None: as its workspace says.
        max_cache_bytes: see ModelCache.
        monotonic: seconds, for expiry.
        capturing: who keeps a sample of what is answered.
    """

    def __init__(
        self,
        ports: Ports,
        store: ModelStore,
        *,
        endpoint_ttl_seconds: float | None = None,
        max_cache_bytes: int = MAX_MODEL_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
        capturing: Capturing | None = None,
    ) -> None:
        self.capturing = capturing or Capturing(ports, monotonic=monotonic)
        self.counting = Counting(ports, monotonic=monotonic)
        self.ports, self._monotonic, self._ttl_seconds = ports, monotonic, endpoint_ttl_seconds
        self._models = ModelCache(store, max_bytes=max_cache_bytes, monotonic=monotonic)
        self._remote = RemoteModels(ports, store)
        self._endpoints: OrderedDict[tuple[str, str], tuple[float, Endpoint]] = OrderedDict()

    def find(self, workspace_id: str, name: str) -> Endpoint:
        """By name or id; by id also one of another workspace that lets this one ask it. Raises NotFoundError."""
        key, now = (workspace_id, name), self._monotonic()
        kept = self._endpoints.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        self._endpoints.pop(key, None)
        endpoint = self._find_now(workspace_id, name)
        self._endpoints[key] = (now + self._ttl_of(workspace_id), endpoint)
        if len(self._endpoints) > _MAX_ENDPOINTS:
            self._endpoints.popitem(last=False)
        return endpoint

    def _ttl_of(self, workspace_id: str) -> float:
        if self._ttl_seconds is not None:
            return self._ttl_seconds
        return self.ports.live_settings.get(InferenceSettings, workspace_id).cache_seconds

    def _find_now(self, workspace_id: str, name: str) -> Endpoint:
        try:
            return records.find(self.ports, Endpoint, workspace_id, name)
        except NotFoundError:
            shared = self.ports.registry.get(keys.shared_row(workspace_id, Endpoint.resource, name))
            if shared is None:
                raise
            return records.get(self.ports, Endpoint, str(shared.data["workspace_id"]), name)

    def list_all(self, workspace_id: str) -> list[Endpoint]:
        """Of one workspace, newest first."""
        found: list[Endpoint] = []
        start = None
        while True:
            page, start = records.list_page(self.ports, Endpoint, workspace_id, limit=_PAGE_ITEMS, start=start)
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
        return self.serve_version(endpoint, require_version(endpoint, number))

    def serve_version(self, endpoint: Endpoint, version: ServedModel) -> Served:
        """One version as an endpoint's settings want it. Raises UnavailableError."""
        settings = endpoint.settings
        weights = endpoint.weights if version == endpoint.serving else None
        model = self.load(endpoint.workspace_id, version, weights=weights, settings=settings)
        return Served(
            endpoint=endpoint,
            version=version,
            model=with_threshold(model, settings.threshold),
            missing=model.missing if isinstance(model, LoadedFusion | LoadedDecomposition) else {},
        )

    def load(
        self,
        workspace_id: str,
        version: ServedModel,
        *,
        weights: Mapping[str, float] | None = None,
        settings: EndpointSettings = _AS_IT_IS,
    ) -> AnyModel:
        """What answers for a version, on its engine: of a fusion that is served apart with its members.

        Raises UnavailableError.
        """
        num_threads = settings.threads
        address = _address_of(workspace_id, version, num_threads)
        if version.host is not None:
            return self._remote.on_host(address, version.host, settings)
        if version.is_decomposed:
            return self._load_parts(address, version, settings)
        model = self._models.get(address)
        if model.combines is None:
            return model
        addresses = _members_of(workspace_id, model.combines, num_threads)
        graph = model.combines.graph
        if version.engine.kind is not EngineKind.DISTRIBUTED:
            members = [self._models.get(each) for each in addresses]
            return LoadedFusion(combining=model, graph=graph, members=members, weights=weights)
        hosts = {(member.model_id, member.number): member.host for member in version.members}
        remote = [self._remote.member(each, hosts[each.model_id, each.number]) for each in addresses]
        return LoadedFusion(combining=model, graph=graph, members=remote, weights=weights, fan_out=settings.fan_out)

    def _load_parts(
        self, address: ModelAddress, version: ServedModel, settings: EndpointSettings
    ) -> LoadedDecomposition:
        graph = self._remote.experts_of(address)
        digests = graph.digests()
        parts = {
            str(member.part): self._remote.member(
                ModelAddress(
                    workspace_id=address.workspace_id,
                    model_id=member.model_id,
                    number=member.number,
                    digest=digests[str(member.part)],
                ),
                member.host,
            )
            for member in version.members
        }
        signature = self._remote.signature_of(address)
        return LoadedDecomposition(signature=signature, graph=graph, parts=parts, fan_out=settings.fan_out)

    def unload(self, workspace_id: str, name: str) -> None:
        """Frees the memory of what an endpoint serves; who asks next loads it again. Raises NotFoundError."""
        endpoint = self.find(workspace_id, name)
        if endpoint.serving is None:
            return
        num_threads = endpoint.settings.threads
        model = self._models.drop(_address_of(workspace_id, endpoint.serving, num_threads))
        if model is not None and model.combines is not None:
            for address in _members_of(workspace_id, model.combines, num_threads):
                self._models.drop(address)

    def describe_cache(self, workspace_id: str) -> Mapping[str, int | float | None]:
        """How the cache of loaded models does for one workspace."""
        return self._models.describe(workspace_id)


def _address_of(workspace_id: str, version: ServedModel, num_threads: int) -> ModelAddress:
    return ModelAddress(
        workspace_id=workspace_id,
        model_id=version.model_id,
        number=version.number,
        digest=version.digest,
        num_threads=num_threads,
    )


def _members_of(workspace_id: str, combines: Combines, num_threads: int) -> list[ModelAddress]:
    return [
        ModelAddress(
            workspace_id=workspace_id,
            model_id=place.model_id,
            number=place.number,
            digest=placed.digest,
            num_threads=num_threads,
        )
        for place, placed in zip(combines.members, combines.graph.members, strict=True)
    ]


def require_version(endpoint: Endpoint, number: int | None) -> ServedModel:
    """The stable version; with a number also the one that is being rolled out.

    Raises NotFoundError where neither has that number, UnavailableError.
    """
    if endpoint.serving is None:
        reason = f": {endpoint.status_reason}" if endpoint.status_reason else ". Wait until it is READY."
        raise UnavailableError(f"The endpoint {endpoint.name!r} serves nothing, it is {endpoint.status}{reason}")
    rolling = endpoint.rollout.model if endpoint.rollout else None
    served = [endpoint.serving] if rolling is None else [endpoint.serving, rolling]
    found = next((version for version in served if number is None or version.number == number), None)
    if found is None:
        numbers = " and ".join(str(version.number) for version in served)
        raise NotFoundError(
            f"The endpoint {endpoint.name!r} serves version {numbers}, not {number}. "
            "Leave the version out, or deploy that one."
        )
    return found


@dataclass(slots=True)
class CacheCounts:
    """Of one workspace, since the process began."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0


class ModelCache:
    """Loaded models, the least recently used ones dropped; what cannot be loaded is not tried again at once.

    Args:
        max_bytes: what the files of all loaded models may have together. One model is always kept, whatever its size.
    """

    def __init__(
        self, store: ModelStore, *, max_bytes: int = MAX_MODEL_BYTES, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._max_bytes, self._monotonic = store, max_bytes, monotonic
        # NOTE: the address is part of the key: equal bytes of two workspaces stay apart.
        self._models: OrderedDict[ModelAddress, LoadedModel] = OrderedDict()
        self._failures: dict[ModelAddress, tuple[float, str]] = {}
        self._counts: defaultdict[str, CacheCounts] = defaultdict(CacheCounts)

    def get(self, address: ModelAddress) -> LoadedModel:
        """Raises UnavailableError."""
        model = self._models.get(address)
        if model is not None:
            self._counts[address.workspace_id].hits += 1
        else:
            self._counts[address.workspace_id].misses += 1
            model = self._load(address)
            self._models[address] = model
            self._make_room()
        self._models.move_to_end(address)
        return model

    def drop(self, address: ModelAddress) -> LoadedModel | None:
        """What was loaded there; None where nothing was."""
        return self._models.pop(address, None)

    def describe(self, workspace_id: str) -> dict[str, int | float | None]:
        """Counts of one workspace beside the limit that it shares with the others."""
        mine = [model.num_bytes for address, model in self._models.items() if address.workspace_id == workspace_id]
        counts = self._counts[workspace_id]
        num_asked = counts.hits + counts.misses
        return {
            "num_models": len(mine),
            "num_bytes": sum(mine),
            "max_bytes": self._max_bytes,
            "hits": counts.hits,
            "misses": counts.misses,
            "evictions": counts.evictions,
            "hit_rate": round(counts.hits / num_asked, 4) if num_asked else None,
        }

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
            address, _ = self._models.popitem(last=False)
            self._counts[address.workspace_id].evictions += 1
