"""What holds of a job where its request says nothing: by the settings of the workspace, as they are at submit."""

from typing import Any, TypeVar

from pydantic import BaseModel

from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.compute import OF_BATCH, OF_SAGEMAKER, Backend, Compute
from aimass_core.domain.jobs import JobCreate, SubmittedSpec, TrainSpec
from aimass_core.domain.settings.compression import CompressionSettings
from aimass_core.domain.settings.search import SearchSettings
from aimass_core.domain.settings.training import TrainingSettings
from aimass_core.domain.studies import Study
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec, StudySpec
from aimass_core.domain.training import LearningSpec
from aimass_core.domain.triggers import TriggeredJob
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import records

_OF_BATCH = ("vcpus", "memory_mib")

ModelT = TypeVar("ModelT", bound=BaseModel)
RequestT = TypeVar("RequestT", JobCreate, TriggeredJob)


def apply(ports: Ports, workspace_id: str, request: RequestT) -> RequestT:
    """The request with all that it leaves open and that the settings decide."""
    training = ports.live_settings.get(TrainingSettings, workspace_id)
    changes: dict[str, Any] = {
        "spec": _complete_spec(ports, workspace_id, request.spec, training),
        "compute": _complete_compute(request.compute, training),
    }
    if "max_seconds" not in request.model_fields_set:
        seconds = _max_seconds(ports, workspace_id, request.spec) or training.max_seconds
        changes["max_seconds"] = min(seconds, changes["compute"].max_wait_seconds or seconds)
    return request.model_copy(update=changes)


def _max_seconds(ports: Ports, workspace_id: str, spec: SubmittedSpec) -> int | None:
    if isinstance(spec, StudySpec):
        return ports.live_settings.get(SearchSettings, workspace_id).max_seconds
    if isinstance(spec, CompressSpec):
        return ports.live_settings.get(CompressionSettings, workspace_id).max_seconds
    return None


def _complete_spec(ports: Ports, workspace_id: str, spec: SubmittedSpec, training: TrainingSettings) -> SubmittedSpec:
    defaults: dict[str, Any] = {}
    if isinstance(spec, TrainSpec):
        # After folds a model is fitted on all rows in any case.
        defaults["refit"] = training.refit and spec.folds is None
        defaults["checkpoint_seconds"] = training.checkpoint_seconds
    if isinstance(spec, StudySpec):
        defaults |= _of_study(ports, workspace_id, spec)
    if isinstance(spec, CompressSpec):
        compression = ports.live_settings.get(CompressionSettings, workspace_id)
        defaults |= {name: getattr(compression, name) for name in ("max_metric_drop", "methods", "device")}
    filled = _fill(spec, defaults)
    is_open = isinstance(filled, LearningSpec) and filled.validation_fraction is None
    if is_open and not isinstance(filled, AutotrainSpec):
        return filled.model_copy(update={"validation_fraction": training.validation_fraction})
    return filled


def _of_study(ports: Ports, workspace_id: str, spec: StudySpec) -> dict[str, Any]:
    """NOTE: a study that goes on is the one that it was, whatever the settings say by now."""
    search = ports.live_settings.get(SearchSettings, workspace_id)
    found: dict[str, Any] = {"num_workers": search.num_workers, "max_trials": search.max_trials}
    if isinstance(spec, SearchSpec):
        found |= {"sampler": search.sampler, "pruner": search.pruner}
    if spec.study is not None:
        try:
            former = records.find(ports, Study, workspace_id, spec.study).spec
        except NotFoundError:
            return found
        of_former = ["validation_fraction", *found]
        found |= {name: getattr(former, name) for name in of_former if name in type(former).model_fields}
    return found


def _complete_compute(compute: Compute, training: TrainingSettings) -> Compute:
    """Whoever names a service, or what belongs to one, has chosen it."""
    has_chosen = bool(compute.model_fields_set & {"backend", *OF_BATCH, *OF_SAGEMAKER})
    backend = compute.backend if has_chosen else training.backend
    if backend is Backend.BATCH:
        return _fill(compute, {name: getattr(training, name) for name in _OF_BATCH})
    defaults: dict[str, Any] = {"instance_type": training.instance_type}
    if training.spot and "spot" not in compute.model_fields_set:
        defaults |= {"spot": True, "max_wait_seconds": training.max_wait_seconds}
    filled = _fill(compute, {"backend": backend, **defaults})
    return Compute.model_validate(filled.model_dump(exclude_unset=True))


def _fill(given: ModelT, defaults: dict[str, Any]) -> ModelT:
    open_fields = {name: value for name, value in defaults.items() if name not in given.model_fields_set}
    return given.model_copy(update=open_fields) if open_fields else given
