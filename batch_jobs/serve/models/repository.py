"""The models of one worker, found in folders: loaded when they are asked for, the least recently used ones dropped."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from aimass_core.domain.endpoint_settings import EndpointSettings
from aimass_core.domain.endpoints import Endpoint, EndpointStatus, ServedModel
from aimass_core.errors import AimassError, NotFoundError, UnavailableError
from aimass_core.inference.serving.endpoints import Served
from aimass_core.inference.serving.threshold import with_threshold
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.batching.model import BatchedModel, BatchLimits
from batch_jobs.serve.models import transforms
from batch_jobs.serve.models.folders import find_models, find_versions, load_version
from batch_jobs.serve.models.state import Placed, SharedState
from batch_jobs.serve.options import Options

WORKSPACE = "container"
_log = logging.getLogger(__name__)


class Key(NamedTuple):
    """One version of a model, as it lay there when it was looked at last."""

    name: str
    number: int
    revision: int
    num_threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    revision: int
    versions: Mapping[int, Path]


@dataclass(slots=True, kw_only=True)
class _Loaded:
    version: ServedModel
    model: BatchedModel
    num_bytes: int
    served: Served | None = None
    """With the settings that held last."""


class Repository:
    """Serves as endpoints the models that lie in folders. Used by one event loop; `serve` only within `bridge.run`."""

    def __init__(self, options: Options, state: SharedState, pool: ThreadPoolExecutor) -> None:
        self._options, self._state, self._pool = options, state, pool
        self._there = {} if options.is_multi_model else find_models(options.models, name=options.name)
        self._found: dict[str, _Found] = {}
        self._loaded: OrderedDict[Key, _Loaded] = OrderedDict()
        self._loading: dict[Key, asyncio.Future[_Loaded]] = {}
        self._faults: dict[Key, str] = {}
        self._num_hits = self._num_misses = 0

    # --- as the engine asks -------------------------------------------------------------------------------------------

    def find(self, _workspace_id: str, name: str) -> Endpoint:
        """The newest version's. Raises NotFoundError."""
        key = self._key(name, None)
        if key in self._loaded:
            return self._serve(self._loaded[key]).endpoint
        fault = self._faults.get(key)
        return _to_endpoint(name, None if fault else _to_version(key, digest=""), reason=fault)

    def list_all(self, _workspace_id: str) -> list[Endpoint]:
        """Also those that are unloaded, with the reason."""
        placed = self._state.read().placed
        found = []
        for name in sorted({*self._there, *placed}):
            if name in placed and not placed[name].is_loaded:
                if name in self._there:
                    found.append(_to_endpoint(name, None, reason="unloaded"))
            else:
                found.append(self.find(WORKSPACE, name))
        return found

    def serve(self, _workspace_id: str, name: str, *, number: int | None = None) -> Served:
        """One version; the newest where none is named. Raises NotFoundError, UnavailableError."""
        key = self._key(name, number)
        loaded = self._loaded.get(key)
        if loaded is not None:
            self._num_hits += 1
            self._loaded.move_to_end(key)
        else:
            self._num_misses += 1
            loaded = bridge.wait(self.load(key))
        return self._serve(loaded)

    # --- loading ------------------------------------------------------------------------------------------------------

    async def load_all(self) -> None:
        """What is there when the worker starts, as long as there is room. Faults are kept, and told by `faults`."""
        for name in [] if self._options.is_multi_model else sorted(self._there):
            try:
                await self.load(self._key(name, None))
            except (UnavailableError, NotFoundError) as error:
                _log.error("%s", error.message)
            if self.num_bytes >= self._options.cache_bytes:
                break

    @property
    def faults(self) -> list[str]:
        """Why models are not served that lie there."""
        return list(self._faults.values())

    @property
    def num_bytes(self) -> int:
        """Of what is loaded."""
        return sum(each.num_bytes for each in self._loaded.values())

    async def load(self, key: Key) -> _Loaded:
        """Loads a version once, however many wait for it. Raises UnavailableError."""
        if key in self._loaded:
            return self._loaded[key]
        if key in self._faults:
            raise UnavailableError(self._faults[key])
        if key not in self._loading:
            loop = asyncio.get_running_loop()
            self._loading[key] = loop.run_in_executor(
                self._pool, self._load, key, self._found[key.name].versions[key.number]
            )
            self._loading[key].add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(self._loading[key])

    def place(self, name: str, path: Path | None) -> Key:
        """Looks at a model's folder (again), for every worker. Raises NotFoundError."""
        folder = path or self._options.models / name
        versions = self._there.get(name, {}) if path is None and name == self._options.name else find_versions(folder)
        if not versions:
            raise NotFoundError(f"There is no model.onnx in {folder.name!r}, nor in a folder of it named by a version.")

        def change(placed: Placed | None) -> Placed:
            revision = placed.revision + 1 if placed else 1
            return Placed(path=None if path is None else str(path), revision=revision)

        self._change(name, change)
        return self._key(name, None)

    def unload(self, _workspace_id: str, name: str) -> None:
        """Frees its memory, in every worker with its next request. Raises NotFoundError."""
        self._key(name, None)

        def change(placed: Placed | None) -> Placed:
            return Placed(revision=placed.revision + 1 if placed else 1, is_loaded=False)

        self._change(name, change)
        self._drop_outdated(name, revision=-1)

    def describe_cache(self, _workspace_id: str) -> Mapping[str, int | float | None]:
        """Of this worker."""
        num_asked = self._num_hits + self._num_misses
        return {
            "num_models": len(self._loaded),
            "num_bytes": self.num_bytes,
            "max_bytes": self._options.cache_bytes,
            "hits": self._num_hits,
            "misses": self._num_misses,
            "hit_rate": round(self._num_hits / num_asked, 4) if num_asked else None,
        }

    def placed_path(self, name: str) -> Path:
        """Where a model lies. Raises NotFoundError."""
        self._key(name, None)
        placed = self._state.read().placed.get(name)
        return Path(placed.path) if placed and placed.path else self._options.models

    # --- settings -----------------------------------------------------------------------------------------------------

    def settings(self, name: str) -> EndpointSettings:
        """Those that hold. Raises NotFoundError."""
        self._key(name, None)
        return self._state.read().settings.get(name, _AS_IT_IS)

    def change_settings(self, name: str, settings: EndpointSettings) -> EndpointSettings:
        """For every worker, from the next request on. Raises NotFoundError."""
        self._key(name, None)
        self._state.change(lambda state: state.model_copy(update={"settings": {**state.settings, name: settings}}))
        return settings

    # ------------------------------------------------------------------------------------------------------------------

    def _change(self, name: str, change: Callable[[Placed | None], Placed]) -> None:
        self._state.change(
            lambda state: state.model_copy(update={"placed": {**state.placed, name: change(state.placed.get(name))}})
        )

    def _key(self, name: str, number: int | None) -> Key:
        found = self._find(name)
        chosen = max(found.versions) if number is None else number
        if chosen not in found.versions:
            known = ", ".join(map(str, sorted(found.versions)))
            raise NotFoundError(f"The model {name!r} has no version {number} here. It has: {known}.")
        settings = self._state.read().settings.get(name)
        num_threads = self._options.num_threads if settings is None else settings.threads
        return Key(name=name, number=chosen, revision=found.revision, num_threads=num_threads)

    def _find(self, name: str) -> _Found:
        placed = self._state.read().placed.get(name)
        revision = placed.revision if placed else 0
        found = self._found.get(name)
        if found is None or found.revision != revision:
            found = _Found(revision=revision, versions=self._look(name, placed))
            self._found[name] = found
            self._drop_outdated(name, revision=revision)
        if not found.versions:
            # Triton's own sample clients look for its first words.
            raise NotFoundError(f"Request for unknown model: there is no {name[:100]!r} here.")
        return found

    def _look(self, name: str, placed: Placed | None) -> Mapping[int, Path]:
        if placed is None:
            return self._there.get(name, {})
        if not placed.is_loaded:
            return {}
        if placed.path is not None:
            return find_versions(Path(placed.path))
        return find_models(self._options.models, name=self._options.name).get(name, {})

    def _load(self, key: Key, folder: Path) -> _Loaded:
        model, digest, num_bytes = load_version(folder, num_threads=key.num_threads)
        transform = self._options.transforms.get(key.name, self._options.transforms.get(""))
        if transform is not None:
            # Golden answers are the model's own, and were given before this.
            model = transforms.wrap(model, transform)
        batched = BatchedModel(model, limits=lambda: self._limits(key.name), pool=self._pool)
        return _Loaded(version=_to_version(key, digest), model=batched, num_bytes=num_bytes)

    def _serve(self, loaded: _Loaded) -> Served:
        settings = self._state.read().settings.get(loaded.version.model_name, _AS_IT_IS)
        if loaded.served is None or loaded.served.endpoint.settings is not settings:
            endpoint = _to_endpoint(loaded.version.model_name, loaded.version, settings=settings)
            model = with_threshold(loaded.model, settings.threshold)
            loaded.served = Served(endpoint=endpoint, version=loaded.version, model=model)
        return loaded.served

    def _limits(self, name: str) -> BatchLimits:
        batching = self._state.read().settings.get(name, _AS_IT_IS).batching
        if batching is None:
            return _NO_WAIT
        return BatchLimits(max_rows=batching.max_rows, max_wait_ms=batching.max_wait_ms)

    def _keep(self, key: Key, done: "asyncio.Future[_Loaded]") -> None:
        del self._loading[key]
        fault = done.exception()
        if fault is None:
            self._loaded[key] = done.result()
            for other in [each for each in self._loaded if each[:3] == key[:3] and each != key]:
                del self._loaded[other]
            while len(self._loaded) > 1 and self.num_bytes > self._options.cache_bytes:
                self._loaded.popitem(last=False)
        elif isinstance(fault, AimassError):
            self._faults[key] = fault.message

    def _drop_outdated(self, name: str, *, revision: int) -> None:
        for known in (self._loaded, self._faults):
            for key in [key for key in known if key.name == name and key.revision != revision]:
                del known[key]


_NO_WAIT = BatchLimits()
_AS_IT_IS = EndpointSettings()


def _to_version(key: Key, digest: str) -> ServedModel:
    return ServedModel(model_id=key.name, model_name=key.name, number=key.number, digest=digest)


def _to_endpoint(
    name: str, serving: ServedModel | None, *, reason: str | None = None, settings: EndpointSettings = _AS_IT_IS
) -> Endpoint:
    now = datetime.now(UTC)
    endpoint = Endpoint(
        id=name if serving is None else f"{name}@{serving.number}",
        workspace_id=WORKSPACE,
        created_at=now,
        updated_at=now,
        created_by="container",
        name=name,
        status=EndpointStatus.FAILED if serving is None else EndpointStatus.READY,
        status_reason=reason,
        serving=serving,
    )
    # NOTE: the same object, by which a change of the settings is known.
    return endpoint.model_copy(update={"settings": settings})
