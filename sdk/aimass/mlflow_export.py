"""A job as a run of MLflow: parameters, curves, metrics, and the model in MLflow's ONNX flavor.

Nothing of MLflow's global state is touched: a program that has a run of its own goes on with it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass.errors import ConnectionFailedError, MissingPackageError
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import (
    CollectSpec,
    EventType,
    ImportSpec,
    IngestSpec,
    JobStatus,
    PredictSpec,
    ReportSpec,
    ScriptSpec,
    TrainSpec,
)
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.recipes import PrepareSpec
from aimass_core.domain.reports import ModelReport
from aimass_core.domain.signatures import Datatype, Signature
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec
from aimass_core.errors import ConflictError

if TYPE_CHECKING:
    from aimass.resources.jobs import Job
    from aimass.resources.models import ModelVersion

EXPERIMENT = "aimass"
JOB_TAG = "aimass.job_id"
MODEL_FOLDER = "model"
_PACKAGES = ("mlflow", "onnx", "pandas")
# What one request of MLflow's REST API takes.
_MAX_METRICS = 1_000
_MAX_PARAMETERS = 100
_DTYPES = {
    Datatype.BYTES: "object",
    Datatype.BOOL: "bool",
    **{each: each.lower() for each in Datatype if each.startswith(("INT", "UINT"))},
    Datatype.FP16: "float16",
    Datatype.FP32: "float32",
    Datatype.FP64: "float64",
}
_STATUSES = {JobStatus.SUCCEEDED: "FINISHED", JobStatus.FAILED: "FAILED", JobStatus.STOPPED: "KILLED"}
_OF_PINS = {"kind", "parent", "members", "single", "data", "member_data"}
Points = list[tuple[int, float]]


def export(job: Job, *, tracking_uri: str | None, experiment: str) -> str:
    """The id of the job's run in the experiment, which is made where there is none.

    A job has one run in an experiment: exported again, it is answered. One that an interrupted export left is
    replaced.

    Raises:
        ConflictError: The job has not ended.
        MissingPackageError: MLflow is not installed.
        ConnectionFailedError: MLflow's server does not answer, or refuses.
    """
    if not job.status.is_terminal:
        raise ConflictError(f"Job {job.id} is {job.status}, and what has ended is exported: aimass jobs watch {job.id}")
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        raise MissingPackageError(
            f"An export to MLflow needs {', '.join(missing)}. Install it with: pip install 'aimass[mlflow]'"
        )
    # Read when MLflow is imported: an export is told to nobody but the tracking server.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    uri = tracking_uri or mlflow.get_tracking_uri()
    try:
        return _Export(job, mlflow.MlflowClient(tracking_uri=uri)).run(experiment)
    except mlflow.MlflowException as error:
        raise ConnectionFailedError(f"MLflow at {uri} refuses: {error.message}") from error


class _Export:
    def __init__(self, job: Job, mlflow: Any) -> None:
        self._job, self._mlflow = job, mlflow
        self._version = job.model_version.get() if job.model_version is not None else None

    def run(self, experiment: str) -> str:
        """Terminating the run comes last: one that is RUNNING was left by an interruption."""
        job = self._job
        found = self._mlflow.get_experiment_by_name(experiment)
        experiment_id = self._mlflow.create_experiment(experiment) if found is None else found.experiment_id
        for run in self._mlflow.search_runs([experiment_id], filter_string=f"tags.`{JOB_TAG}` = '{job.id}'"):
            if run.info.status != "RUNNING":
                return str(run.info.run_id)
            self._mlflow.delete_run(run.info.run_id)
        name = job.id if self._version is None else self._version.ref
        begun = _milliseconds(job.started_at or job.created_at)
        run_id = str(
            self._mlflow.create_run(experiment_id, start_time=begun, run_name=name, tags=self._tags()).info.run_id
        )
        self._log_numbers(run_id)
        if self._version is not None:
            with tempfile.TemporaryDirectory(prefix="aimass-mlflow-") as folder:
                _save_artifacts(self._version, Path(folder), run_id=run_id)
                self._mlflow.log_artifacts(run_id, folder)
        ended = _milliseconds(job.ended_at or job.updated_at)
        self._mlflow.set_terminated(run_id, status=_STATUSES[job.status], end_time=ended)
        return run_id

    def _tags(self) -> dict[str, str]:
        tags = {JOB_TAG: self._job.id, "aimass.job_kind": str(self._job.kind), "mlflow.user": self._job.created_by}
        if self._version is not None:
            tags |= {"aimass.model_version": self._version.ref, "aimass.model_digest": self._version.digest}
        if self._job.failure is not None:
            tags["aimass.failure"] = self._job.failure.cause
        return tags

    def _log_numbers(self, run_id: str) -> None:
        from mlflow.entities import Metric, Param

        parameters = [Param(name, _to_text(value)) for name, value in self._parameters().items()]
        for some in _chunks(parameters, _MAX_PARAMETERS):
            self._mlflow.log_batch(run_id, params=some)
        curves = self._curves()
        at = _milliseconds(self._job.ended_at or self._job.updated_at)
        metrics = [Metric(name, value, at, step) for name, points in curves.items() for step, value in points]
        # The last point of a curve is that of the last epoch; the metric is that of the model, which may be an earlier.
        metrics += [
            Metric(f"final/{name}" if name in curves else name, value, at, 0)
            for name, value in self._job.metrics.items()
        ]
        for some in _chunks(metrics, _MAX_METRICS):
            self._mlflow.log_batch(run_id, metrics=some)

    def _parameters(self) -> dict[str, Any]:
        spec, card = self._job.spec, None if self._version is None else self._version.card
        found: dict[str, Any] = {}
        for name, pinned in self._job.channels.items():
            found |= {f"data.{name}": f"{pinned.dataset_name}@{pinned.number}", f"data.{name}.digest": pinned.digest}
        for name, model in self._job.models.items():
            found |= {f"model.{name}": f"{model.model_name}@{model.number}", f"model.{name}.digest": model.digest}
        match spec:
            case TrainSpec():
                found |= {"algorithm": spec.algorithm, "seed": spec.seed}
                found |= {"framework": card.framework if card is not None else spec.framework}
                found |= {"folds": spec.folds, "features": card.features if card is not None else spec.features}
                # Those of the card have the defaults filled in.
                found |= card.hyperparameters if card is not None else spec.hyperparameters
            case SearchSpec() | AutotrainSpec():
                found |= {"study": self._job.study_id, "seed": spec.seed, "max_trials": spec.max_trials}
                if card is not None:
                    found |= {"algorithm": card.algorithm, "framework": card.framework, "features": card.features}
                    found |= card.hyperparameters
            case CompressSpec() | FuseSpec() | DecomposeSpec():
                # The models that it names are pinned above, and what judges them is the channels.
                found |= spec.model_dump(mode="json", exclude=_OF_PINS)
            case ImportSpec():
                found |= {"source": spec.source, "format": spec.format}
            case ScriptSpec():
                found |= {"entry_point": spec.entry_point, "source": spec.source, **spec.hyperparameters}
            case (
                PrepareSpec()
                | PredictSpec()
                | IngestSpec()
                | CollectSpec()
                | ReportSpec()
                | ExportSpec()
                | ImportWorkspaceSpec()
            ):
                # They make data or a report, and no model.
                found |= spec.model_dump(
                    mode="json", include={"dataset", "model", "output", "dataset_id", "number", "source"}
                )
        return {name: value for name, value in found.items() if value is not None}

    def _curves(self) -> dict[str, Points]:
        """Those of the model's own fit; of a job without a report what it told while it ran."""
        if self._version is not None and ArtifactName.REPORT_DATA in self._version.links:
            with tempfile.TemporaryDirectory(prefix="aimass-mlflow-") as folder:
                path = self._version.download(ArtifactName.REPORT_DATA, Path(folder) / "report.json")
                report = ModelReport.model_validate_json(path.read_bytes())
            return {curve.name: list(zip(curve.steps, curve.values, strict=True)) for curve in report.learning_curves}
        curves: dict[str, Points] = {}
        for event in self._job.all_events():
            if event.type is EventType.METRICS:
                for point in event.data["points"]:
                    for name, value in point["values"].items():
                        if value is not None:
                            curves.setdefault(name, []).append((point["step"], value))
        return curves


def _save_artifacts(version: ModelVersion, folder: Path, *, run_id: str) -> None:
    """All files of the version; model.onnx as a model of MLflow's."""
    import mlflow.models
    import mlflow.onnx
    import onnx

    for name in (name for name in ArtifactName if name in version.links and name is not ArtifactName.MODEL):
        version.download(name, folder / name)
    with tempfile.TemporaryDirectory(prefix="aimass-mlflow-") as other:
        model = onnx.load(version.download(ArtifactName.MODEL, Path(other) / "model.onnx"))
    with warnings.catch_warnings():
        # MLflow warns about its own type hints when it first imports them.
        warnings.simplefilter("ignore")
        mlflow.onnx.save_model(
            model,
            folder / MODEL_FOLDER,
            mlflow_model=mlflow.models.Model(artifact_path=MODEL_FOLDER, run_id=run_id),
            signature=None if version.signature is None else to_mlflow_signature(version.signature),
            pip_requirements=["mlflow-skinny", "numpy", "onnx", "onnxruntime", "pandas"],
            save_as_external_data=False,
        )


def to_mlflow_signature(signature: Signature) -> Any:
    """Tensors, as the graph has them; MLflow makes them of the columns of a data frame too."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    inputs, outputs = (
        Schema([TensorSpec(np.dtype(_DTYPES[spec.datatype]), tuple(spec.shape), spec.name) for spec in specs])
        for specs in (signature.inputs, signature.outputs)
    )
    return ModelSignature(inputs=inputs, outputs=outputs)


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=lambda other: other.model_dump(mode="json", exclude_defaults=True))


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
