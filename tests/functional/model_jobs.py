"""What compress, fuse and decompose jobs leave: their documents, and a model where they succeed."""

import hashlib
import json
from typing import Any

from aimass_core.domain.compression import (
    Compression,
    CompressionCandidate,
    CompressionMethod,
    CompressionStep,
    UnfitMethod,
)
from aimass_core.domain.decomposition import (
    DecomposedWhole,
    Decomposition,
    DecompositionMethod,
    ExpertRow,
)
from aimass_core.domain.fusion import FusedMember, FusedMethod, Fusion, FusionMethod, Placement
from aimass_core.domain.jobs import Artifact, FailureRecord, Job, JobKind
from aimass_core.domain.model_jobs import Cost, Device, Score
from tests.factories.platform import add_dataset, add_version, artifact_key, make_model
from tests.functional import study_jobs
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of

PAGE = b"<!doctype html><title>A Pareto plot</title>"


def score(value: float, *, metric: str = "roc_auc") -> Score:
    return Score(metric=metric, value=value, num_rows=6_512)


def cost(num_bytes: int, p50: float, **more: Any) -> Cost:
    return Cost(latency_p50_ms=p50, latency_p95_ms=p50 * 1.5, model_bytes=num_bytes, **more)


def candidate(name: str, value: float, num_bytes: int, p50: float, *steps: str, **more: Any) -> CompressionCandidate:
    """That was measured."""
    return CompressionCandidate(
        name=name,
        steps=[CompressionStep(method=CompressionMethod(step)) for step in steps],
        score=score(value),
        metric_drop=0.93 - value,
        cost=cost(num_bytes, p50, memory_bytes=3 * num_bytes, cold_start_ms=10 * p50),
        seconds=1.5,
        **more,
    )


COMPRESSION = Compression(
    parent="adult@1",
    device=Device.LAMBDA_512MB,
    num_threads=1,
    max_model_bytes=50_000,
    max_latency_ms=None,
    max_metric_drop=0.005,
    candidates=[
        candidate(
            "original", 0.93, 812_000, 0.08, is_pareto=True, missed=["model_bytes 812,000 > 50,000 [bold]bytes[/]"]
        ),
        candidate("int8 dynamic", 0.929, 300_000, 0.2, "quantization", missed=["model_bytes 300,000 > 50,000"]),
        candidate("trees 20", 0.928, 41_000, 0.02, "trimming", is_pareto=True, is_chosen=True),
        candidate("student", 0.9, 9_000, 0.01, "distillation", is_pareto=True, missed=["metric_drop 0.03 > 0.005"]),
    ],
    unfit=[UnfitMethod(method=CompressionMethod.FACTORIZATION, reason="It has no layers [red]of weights[/].")],
)
MISSED = COMPRESSION.model_copy(
    update={
        "max_model_bytes": 1,
        "candidates": [each.model_copy(update={"is_chosen": False}) for each in COMPRESSION.candidates],
        "advice": ["set max_model_bytes to 9,000 and max_metric_drop to 0.03."],
    }
)
FUSION = Fusion(
    members=[
        FusedMember(
            name="adult@1",
            algorithm="xgboost",
            weight=0.6,
            score=score(0.93),
            cost=cost(812_000, 0.08),
            correlation=0.81,
        ),
        FusedMember(name="adult-net@2", algorithm="mlp", weight=0.4, score=score(0.91), cost=cost(90_000, 0.03)),
    ],
    methods=[
        FusedMethod(method=FusionMethod.CONVEX_WEIGHTING, score=score(0.9345), is_chosen=True),
        FusedMethod(method=FusionMethod.BLENDING, reason="It is of values, and this task is binary."),
    ],
    best_member="adult@1",
    method=FusionMethod.CONVEX_WEIGHTING,
    placement=Placement.ONE_GRAPH,
    device=Device.LAMBDA_1769MB,
    num_fit_rows=6_512,
    is_cross_fitted=True,
    score=score(0.9345),
    cost=cost(905_000, 0.12),
)
DECOMPOSITION = Decomposition(
    wholes=[
        DecomposedWhole(
            name="single", score=score(0.958, metric="accuracy"), cost=cost(700_000, 0.05, num_operations=180_000)
        ),
        DecomposedWhole(
            name="hierarchy of 2",
            method=DecompositionMethod.HIERARCHY,
            num_experts=2,
            score=score(0.96, metric="accuracy"),
            cost=cost(500_000, 0.04, num_operations=70_000),
            is_chosen=True,
        ),
    ],
    experts=[
        ExpertRow(
            name="gate", purpose="which expert", algorithm="linear", share=1.0, num_train_rows=16_000, model_bytes=9_000
        ),
        ExpertRow(
            name="expert-1",
            purpose="letters I, J, L",
            algorithm="mlp",
            share=0.12,
            num_train_rows=1_900,
            score=score(0.97, metric="accuracy"),
            single_score=score(0.94, metric="accuracy"),
            model_bytes=240_000,
        ),
    ],
    unfit={"components": "It is of forecasts."},
)

COMMANDS: dict[str, list[str]] = {
    "compress": ["compress", "adult", "--max-model-bytes", "50k", "--max-metric-drop", "0.005"],
    "fuse": ["fuse", "adult@1", "adult"],
    "decompose": ["decompose", "adult", "--method", "clusters", "--experts", "2"],
}
DOCUMENTS: dict[str, tuple[str, Compression | Fusion | Decomposition]] = {
    "compress": ("compression", COMPRESSION),
    "fuse": ("fusion", FUSION),
    "decompose": ("decomposition", DECOMPOSITION),
}


def add_models(api: Api) -> None:
    """Two versions of a model."""
    add_version(api.ports, owner_of(api), add_dataset(api.ports, owner_of(api)))
    make_model(api.ports, owner_of(api), model=b"one")
    make_model(api.ports, owner_of(api), model=b"two", algorithm="mlp")


def submit(run: Run, kind: str) -> Job:
    """A job that was submitted on the command line, as the API has it."""
    ran = run(*COMMANDS[kind], "--detach", "-o", "json")
    assert ran.code == 0, ran.err
    (job,) = json.loads(ran.out)
    return Job.model_validate(job)


def succeed(api: Api, job: Job) -> Job:
    """It leaves a model, its document and its page, and ends."""
    name, document = DOCUMENTS[job.kind]
    extra = {f"output/{name}.json": document.model_dump_json().encode(), f"output/{name}.html": PAGE}
    parts = ["gate", "expert-1"] if job.kind is JobKind.DECOMPOSE else []
    return study_jobs.succeed_with(api, study_jobs.start(api, job.id), extra, parts=parts)


def miss(api: Api, job: Job) -> Job:
    """A compress job that finds nothing within its limits: it leaves its table, and fails."""
    started, body = study_jobs.start(api, job.id), MISSED.model_dump_json().encode()
    cause = f"Nothing meets the limits: {MISSED.advice[0]}"
    table = Artifact(name="output/compression.json", num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
    record = FailureRecord(code="invalid_request", cause=cause, exit_code=64, artifacts=[table])
    for name, left in ((table.name, body), ("failure.json", record.model_dump_json().encode())):
        api.ports.lake.put(artifact_key(started, name), left)
    return study_jobs.fail(api, started)
