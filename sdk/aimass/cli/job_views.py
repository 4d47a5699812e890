"""What the command line shows of a job."""

from typing import Any

from aimass.cli.output import Column
from aimass.resources.jobs import Job
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.compute import Backend
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import CollectSpec, ImportSpec, IngestSpec, PredictSpec, ReportSpec, ScriptSpec, TrainSpec
from aimass_core.domain.recipes import PrepareSpec
from aimass_core.domain.study_specs import AnyStudySpec, AutotrainSpec, SearchSpec
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec


def is_of_study(job: Job) -> bool:
    """Whether the job works on a study."""
    return isinstance(job.spec, SearchSpec | AutotrainSpec)


def what(job: Job) -> str:  # noqa: PLR0911 - one for each kind
    """Its work in some words."""
    match job.spec:
        case TrainSpec(algorithm=algorithm, dataset=dataset):
            return f"{algorithm} on {dataset}"
        case SearchSpec() | AutotrainSpec() as spec:
            return f"{searched(spec)} on {spec.dataset}"
        case CompressSpec() | FuseSpec() | DecomposeSpec() as spec:
            return made(spec)
        case ImportSpec(model=model, format=format_):
            return f"{model} from {format_}"
        case ScriptSpec(entry_point=entry_point):
            return entry_point
        case ReportSpec(report=report):
            return report
        case ExportSpec() | ImportWorkspaceSpec() as spec:
            return moved(spec)
        case spec:
            return brought(spec)


def brought(spec: PrepareSpec | PredictSpec | IngestSpec | CollectSpec) -> str:
    """Which data comes from where."""
    match spec:
        case PrepareSpec(dataset=dataset, output=output):
            return f"{dataset} to {output}"
        case PredictSpec(model=model, dataset=dataset, output=output):
            return f"{model} on {dataset} to {output}"
        case IngestSpec(number=number):
            return f"version {number}"
        case CollectSpec(source=source):
            return source


def moved(spec: ExportSpec | ImportWorkspaceSpec) -> str:
    """What is exported, or from what is imported."""
    match spec:
        case ExportSpec(with_data=with_data):
            return "the workspace with its data" if with_data else "the workspace"
        case ImportWorkspaceSpec(archive=archive):
            return f"a workspace from {archive[:12]}"


def made(spec: CompressSpec | FuseSpec | DecomposeSpec) -> str:
    """Of what a model is made, and how where that was said."""
    match spec:
        case CompressSpec(parent=parent, methods=methods):
            return f"{parent} by {', '.join(methods)}" if methods else parent
        case FuseSpec(members=members, method=method):
            return ", ".join(members) + (f" by {method}" if method else "")
        case DecomposeSpec(dataset=dataset, method=method):
            return f"{dataset} by {method}" if method else dataset


def searched(spec: AnyStudySpec) -> str:
    """Among what a study looks for the best."""
    if isinstance(spec, SearchSpec):
        return ", ".join(candidate.name for candidate in spec.candidates)
    ends = [name for name, is_on in {"fused": spec.fuse, "decomposed": spec.decompose}.items() if is_on]
    return f"{spec.preset}: {', '.join(spec.algorithms) if spec.algorithms else 'all that fit'}" + (
        f", then {' and '.join(ends)}" if ends else ""
    )


def of_study(job: Job) -> dict[str, Any]:
    """What is worth seeing of a job that works on a study."""
    if not isinstance(job.spec, SearchSpec | AutotrainSpec):
        return {}
    return {"study": job.study().name if job.study_id else None, **limits(job.spec), "seconds at most": job.max_seconds}


def of_models(job: Job) -> dict[str, Any]:
    """What is worth seeing of a job that makes a model of models, or of parts."""
    if not isinstance(job.spec, CompressSpec | FuseSpec | DecomposeSpec):
        return {}
    spec = job.spec
    pinned = {name.replace("-", " "): f"{model.model_name}@{model.number}" for name, model in job.models.items()}
    given = {
        "device": spec.device,
        "model bytes at most": spec.max_model_bytes,
        "latency at most (ms)": spec.max_latency_ms,
        "metric drop at most": spec.max_metric_drop if isinstance(spec, CompressSpec) else None,
        "seconds at most": job.max_seconds,
    }
    return pinned | {name: value for name, value in given.items() if value is not None}


def limits(spec: AnyStudySpec) -> dict[str, Any]:
    """What bounds a study, as far as it was said."""
    given = {
        "trials at most": spec.max_trials,
        "workers": spec.num_workers,
        "model bytes at most": spec.max_model_bytes,
        "latency at most (ms)": spec.max_latency_ms,
    }
    return {name: value for name, value in given.items() if value is not None}


def where(job: Job) -> str:
    """The machines that it runs on."""
    compute = job.compute
    if compute.backend is Backend.BATCH:
        return f"batch, {compute.num_nodes} nodes" if compute.num_nodes > 1 else "batch"
    count = f"{compute.instance_count} x " if compute.instance_count > 1 else ""
    return f"sagemaker, {count}{compute.instance_type}{' (spot)' if compute.spot else ''}"


def progress(job: Job) -> str | None:
    """How far it is: `trials: 12 of 40, roc_auc 0.93`."""
    now = job.progress
    if now is None or job.status.is_terminal:
        return None
    return ", ".join(filter(None, [f"{now.phase}: {steps(job)}".rstrip(": "), now.message]))


def steps(job: Job) -> str:
    """`12 of 40 trials`; empty where the job counts nothing."""
    now = job.progress
    if now is None or now.step is None:
        return ""
    counted = f"{now.step:,} of {now.num_steps:,}" if now.num_steps else f"{now.step:,}"
    return f"{counted} trials" if is_of_study(job) else counted


COLUMNS = (
    Column("JOB", lambda j: j.id),
    Column("KIND", lambda j: str(j.kind)),
    Column("WHAT", what),
    Column("STATUS", lambda j: str(j.status)),
    Column("CREATED", lambda j: j.created_at),
    Column("MODEL", lambda j: f"{j.model_version.model_name}@{j.model_version.number}" if j.model_version else None),
)
