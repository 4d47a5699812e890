"""Models on their way from the lake into memory: kept on disk by digest, checked each time they are loaded."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aimass_core.domain import graph_check, keys
from aimass_core.domain.expert_graphs import ExpertGraph
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.serving_graphs import ServingGraph
from aimass_core.domain.signatures import Signature
from aimass_core.errors import ConflictError, NotFoundError, UnavailableError
from aimass_core.inference.serving.model import Combines, LoadedModel, load_model
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import endpoint_weights, records

MAX_DISK_BYTES = 1024**3
_log = logging.getLogger(__name__)


class ModelRefusedError(UnavailableError):
    """This model will not be served, however often it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAddress:
    """One model version, pinned by digest; and how many threads run it, which is said when it is loaded."""

    workspace_id: str
    model_id: str
    number: int
    digest: str
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class ModelStore:
    """Loads models. `folder` is a cache: anything in it may vanish or be damaged at any time."""

    ports: Ports
    folder: Path

    def load(self, address: ModelAddress) -> LoadedModel:
        """A model whose every byte was checked.

        Raises:
            ModelRefusedError: The model is gone, was changed after its registration, or may not be served.
            UnavailableError: The lake or the registry cannot be reached.
        """
        with _refusing(address):
            version = records.get(self.ports, ModelVersion, address.workspace_id, address.model_id, address.number)
            signature = Signature.model_validate_json(self._read(version, ArtifactName.SIGNATURE))
            model = self._read_model(address, version)
            graph_check.check(model)
            return load_model(
                model,
                signature,
                digest=address.digest,
                combines=self._find_members(version),
                num_threads=address.num_threads,
            )

    def load_experts(self, address: ModelAddress) -> ExpertGraph:
        """Of a decomposition whose parts answer apart. Raises as `load` does."""
        with _refusing(address):
            version = records.get(self.ports, ModelVersion, address.workspace_id, address.model_id, address.number)
            return ExpertGraph.model_validate_json(self._read(version, ArtifactName.EXPERTS))

    def load_signature(self, address: ModelAddress) -> Signature:
        """Of a model that answers somewhere else. Raises as `load` does."""
        with _refusing(address):
            version = records.get(self.ports, ModelVersion, address.workspace_id, address.model_id, address.number)
            return Signature.model_validate_json(self._read(version, ArtifactName.SIGNATURE))

    def _find_members(self, version: ModelVersion) -> Combines | None:
        """What the model combines, where it is a fusion whose members are served apart."""
        if not any(artifact.name == ArtifactName.FUSION for artifact in version.artifacts):
            return None
        graph = ServingGraph.model_validate_json(self._read(version, ArtifactName.FUSION))
        try:
            return Combines(graph=graph, members=endpoint_weights.find_members(self.ports, version))
        except ConflictError as error:
            raise GraphError(error.message) from error

    def _read_model(self, address: ModelAddress, version: ModelVersion) -> bytes:
        if version.digest != address.digest:
            raise GraphError("its registration names another digest")
        if version.model_bytes > MAX_MODEL_BYTES:
            raise GraphError(f"it has {version.model_bytes} bytes; at most {MAX_MODEL_BYTES} are served")
        path = self.folder / address.digest / ArtifactName.MODEL
        model = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(model).hexdigest() == address.digest:
            return model
        model = self._read(version, ArtifactName.MODEL)
        self._keep(path, model)
        return model

    def _read(self, version: ModelVersion, name: ArtifactName) -> bytes:
        wanted = next((artifact.sha256 for artifact in version.artifacts if artifact.name == name), None)
        key = keys.model_object(version.workspace_id, version.model_id, version.number, name)
        body = self.ports.lake.get(key)
        if wanted is None or hashlib.sha256(body).hexdigest() != wanted:
            _log.error("artifact changed after registration", extra={"key": key})
            raise GraphError(f"its {name.value} was changed after its registration")
        return body

    def _keep(self, path: Path, model: bytes) -> None:
        """A full disk is no reason not to answer."""
        try:
            self._make_room(len(model))
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(model)
            Path(file.name).replace(path)
        except OSError as error:
            _log.warning("model not kept on disk: %s", error)

    def _make_room(self, num_bytes: int) -> None:
        """Removes the models that were fetched first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = sorted(
            ((path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("*/*")), reverse=True
        )
        for _, size, path in kept:
            num_bytes += size
            if num_bytes > MAX_DISK_BYTES:
                shutil.rmtree(path.parent, ignore_errors=True)


@contextmanager
def _refusing(address: ModelAddress) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, BlobNotFoundError) as error:
        raise _refuse(address, "it is gone") from error
    except GraphError as error:
        raise _refuse(address, str(error)) from error


def _refuse(address: ModelAddress, reason: str) -> ModelRefusedError:
    _log.error("model refused", extra={"model_id": address.model_id, "number": address.number, "reason": reason})
    return ModelRefusedError(
        f"Version {address.number} of the model {address.model_id} cannot be served: {reason}. Deploy another version."
    )
