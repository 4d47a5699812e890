"""Models and their versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass import exporting, model_packing, uploading
from aimass.binding import Api, Bound, Pages, to_request
from aimass.resources import model_folders
from aimass_core.domain import models as contract
from aimass_core.domain.jobs import JobCreate, JobKind
from aimass_core.domain.models import ApprovalCreate, ArtifactName, Decision, ModelUpdate
from aimass_core.domain.signatures import Card, Signature
from aimass_core.errors import NotFoundError

if TYPE_CHECKING:
    from aimass.resources.endpoints import Endpoint
    from aimass.resources.jobs import Job

_PATH = "/v1/models"


class ModelVersion(contract.ModelVersion, Bound):
    """One trained, checked and immutable model."""

    signature: Signature | None = None
    card: Card | None = None
    links: dict[str, str] = {}

    @property
    def ref(self) -> str:
        """`name@number`, as endpoints take it."""
        return f"{self.model_name}@{self.number}"

    def deploy(self, *, name: str | None = None, timeout_seconds: float = 120) -> Endpoint:
        """Serves it: returns when the endpoint is READY, that is, after a golden request gave the golden answer."""
        return self._client.endpoints.deploy(self.ref, name=name, timeout_seconds=timeout_seconds)

    def compress(
        self,
        *,
        max_model_bytes: int | None = None,
        max_latency_ms: float | None = None,
        max_metric_drop: float | None = None,
        **options: Any,
    ) -> Job:
        """Starts a job that makes it smaller and faster, as a new version; see JobsApi.compress. It stays as it is."""
        return self._client.jobs.compress(
            self,
            max_model_bytes=max_model_bytes,
            max_latency_ms=max_latency_ms,
            max_metric_drop=max_metric_drop,
            **options,
        )

    def download(self, artifact: ArtifactName | str, path: str | Path | None = None) -> Path:
        """Saves an artifact, `model.onnx` or `report.html` say; default: under its own name, here."""
        chosen = ArtifactName(artifact)
        links = self.links or self._client.models.get_version(self.model_id, self.number).links
        if chosen.value not in links:
            raise NotFoundError(
                f"{self.ref} has no {chosen.value}: it has {', '.join(sorted(links))}. (A study that did not come to "
                "its end leaves no report.)"
            )
        target = Path(path) if path else Path(chosen.value)
        target.write_bytes(self._client.http.fetch(links[chosen.value], name=f"{chosen.value} of {self.ref}"))
        return target

    def export(self, path: str | Path | None = None) -> Path:
        """Saves it as a zip that answers anywhere with onnxruntime and numpy alone.

        In it are the graph, what describes it, sample rows, a client, a server, a Dockerfile and a recipe for Lambda.
        Default: `<name>-<number>.zip`, here.
        """
        return exporting.export(self, Path(path or f"{self.model_name}-{self.number}.zip"))

    def save(self, folder: str | Path) -> Path:
        """Saves what a server needs as `folder/<model>/<number>`: `python -m batch_jobs serve --models folder`."""
        return model_folders.save(self._client.models, self, Path(folder))


class Model(contract.Model, Bound):
    """A named sequence of versions."""

    def versions(self) -> Pages[ModelVersion]:
        """Newest first."""
        return self._client.models.versions(self.id)


class ModelsApi(Api):
    """`client.models`."""

    def list(self) -> Pages[Model]:
        """All of the workspace, newest first."""
        return self._list(Model, _PATH)

    def get(self, model: str) -> Model:
        """By name or id."""
        return self._get(Model, f"{_PATH}/{model}")

    def update(self, model: Model, *, description: str) -> Model:
        """Changes the description."""
        return self._patch(
            Model, f"{_PATH}/{model.id}", to_request(ModelUpdate, description=description), revision=model.revision
        )

    def delete(self, model: str) -> None:
        """With all its versions. Raises ConflictError while one is served."""
        self._delete(f"{_PATH}/{model}")

    def versions(self, model: str) -> Pages[ModelVersion]:
        """Of one model, newest first."""
        return self._list(ModelVersion, f"{_PATH}/{model}/versions")

    def import_model(
        self,
        model: str | Path,
        *,
        name: str | None = None,
        samples: str | Path | None = None,
        signature: str | Path | Mapping[str, Any] | None = None,
        max_seconds: int = 3600,
        compute: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Job:
        """Starts a job that converts a model of another tool to ONNX, compares the two, and registers it.

        Args:
            model: A file or folder: ONNX (external data beside it), SavedModel, Keras, TorchScript, safetensors with a
                module.py, XGBoost, LightGBM, a pickle of scikit-learn, or an MLflow model.
            name: Of the model; default: the file's.
            samples: Rows that both have to answer alike: .csv, .jsonl, .npy, or .npz with an array for each input.
            signature: A `signature.json` that tells what it takes and gives; default: found out.
            max_seconds: Then the job is stopped.
            compute: vcpus, memory_mib, backend, instance_type.
            **options: Fields of `ImportSpec`: format, task, target, labels, columns, scores, input_shape,
                trust_pickle.

        Raises:
            InvalidDataError: A file is not there, is a link, or is too large.
        """
        path = Path(model)
        spec = {"kind": JobKind.IMPORT, "source": "0" * 64, "model": name or _to_name(path), **options}
        body: dict[str, Any] = {"compute": dict(compute or {}), "max_seconds": max_seconds}
        # Before anything is sent, what can be checked here is.
        to_request(JobCreate, spec=spec, **body)
        given = Path(signature) if isinstance(signature, str) else signature
        with model_packing.packed(path, samples=Path(samples) if samples else None, signature=given) as archive:
            sha256 = uploading.send_source(self._client, archive)
        return self._client.jobs.submit(to_request(JobCreate, spec={**spec, "source": sha256}, **body))

    def retrain(
        self,
        model: str | ModelVersion,
        *,
        without_source: str | None = None,
        without_rows: str | None = None,
        max_seconds: int | None = None,
        on_prepare: Callable[[Job], None] = lambda _job: None,
    ) -> Job:
        """Starts a job that trains it again without some of its data, as a new version.

        Returns once that data is prepared, by jobs of which `on_prepare` hears.

        Args:
            model: `name`, `name@number`, or a model version.
            without_source: Name or id of a source: neither what it fills nor joins of that.
            without_rows: An expression of a recipe, such as `plan = 'trial'`. Rows of which it is true are left out of
                training and validation data, not of test data.
            max_seconds: Of the training; default: as before.

        Raises:
            InvalidRequestError: It is not in the model, or nothing would be left to learn from.
        """
        # NOTE: it makes requests of models.
        from aimass.resources import retraining

        return retraining.retrain(
            self._client,
            model,
            without_source=without_source,
            without_rows=without_rows,
            max_seconds=max_seconds,
            on_prepare=on_prepare,
        )

    def get_version(self, model: str, number: int) -> ModelVersion:
        """One version with its signature, its card and links to its artifacts."""
        return self._get(ModelVersion, f"{_PATH}/{model}/versions/{number}")

    def approve(self, model: str, number: int, *, note: str = "") -> ModelVersion:
        """Says that a version may be served. Raises PermissionDeniedError where you made it and are no admin."""
        return self._decide(model, number, Decision.APPROVED, note)

    def reject(self, model: str, number: int, *, note: str = "") -> ModelVersion:
        """Says that a version may not be served; what serves it already goes on."""
        return self._decide(model, number, Decision.REJECTED, note)

    def _decide(self, model: str, number: int, decision: Decision, note: str) -> ModelVersion:
        body = to_request(ApprovalCreate, decision=decision, note=note)
        return self._post(ModelVersion, f"{_PATH}/{model}/versions/{number}/approval", body)


def _to_name(path: Path) -> str:
    """`My Model.onnx` becomes `my-model`."""
    return re.sub(r"[^a-z0-9_-]+", "-", path.resolve().stem.lower()).strip("-_")[:63] or "model"
