"""A decompose job from its channels to a whole, its parts, and what is told of them."""

import time

import numpy as np

from aimass_core.domain.decomposition import DecomposeSpec, Decomposition
from aimass_core.domain.model_jobs import Score
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.frames import Array, Frame
from batch_jobs.decompose.apart import to_expert_graph
from batch_jobs.decompose.combining import Routing
from batch_jobs.decompose.contract import Ground
from batch_jobs.decompose.measuring import Tried, choose, judge, measure_all, measure_alone
from batch_jobs.decompose.opening import Single, find_single, open_trainer, read_data
from batch_jobs.decompose.page import write_page
from batch_jobs.decompose.parts import GATE, PartModel, expert_name
from batch_jobs.decompose.telling import advise, tell
from batch_jobs.decompose.trying import Trial
from batch_jobs.decompose.wholes import Whole
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.registered.results import describe
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import begin_budget
from batch_jobs.train.exporting import Exported, to_files
from batch_jobs.train.handover import Handover, write_validation_report
from batch_jobs.train.notes import Notes

ALGORITHM = "decomposition"
DOCUMENT = "decomposition.json"


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Splits the task as `environment.spec` says.

    Leaves the whole in `model_path` as a training leaves its model, with `experts.json`, gate and experts as models of
    their own in
    `parts_path`, and `decomposition.json` and `decomposition.html` with all wholes that were tried.

    Returns:
        The metrics of the whole, as a training returns them.

    Raises:
        InvalidRequestError, InvalidDataError: The task cannot be split as is asked for, or no whole keeps the limits.
        InternalError: A graph does not repeat what it was made of.
    """
    spec, began = environment.spec, time.monotonic()
    if not isinstance(spec, DecomposeSpec):
        raise InvalidRequestError(f"a {spec.kind} job does not decompose anything")
    if spec.folds is not None:
        raise InvalidRequestError("a decomposition is judged by rows that are held out, not by folds: leave folds out")
    notes = Notes(reporter)
    reporter.progress("reading")
    material, part = read_data(environment, spec, notes)
    trainer = open_trainer(environment, spec, material, part, reporter=reporter, notes=notes)
    budget = begin_budget(environment.deadline, reading_seconds=time.monotonic() - began)
    deadline = budget.deadline
    reporter.progress("the single model")
    single = find_single(environment, spec, trainer, deadline=deadline, notes=notes)
    ground = Ground(spec=spec, material=material, single_scores=single.scores, trainer=trainer, notes=notes)
    first, rows = _to_tried(single, ground), ground.frame(ground.validation)
    trial = Trial(
        ground=ground,
        deadline=deadline,
        single_seconds=single.seconds,
        measuring_seconds=measure_alone(first, rows, spec, num_cpus=environment.num_cpus),
    )
    trial.run()
    reporter.progress("measuring")
    tried = [first, *trial.tried]
    measure_all(tried, rows, spec, num_cpus=environment.num_cpus)
    chosen = choose(tried, ground.validation.truth, ground.target, seed=spec.seed)
    document = tell(tried, chosen, ground, unfit=trial.unfit)
    write_document(document, environment)
    if chosen is None:
        raise InvalidDataError(f"no whole keeps the limits: {advise(tried, spec)}")
    exported = export_whole(chosen, ground, seconds=time.monotonic() - began, environment=environment)
    assert chosen.whole is not None  # noqa: S101  the single model is never chosen
    write_parts(chosen.whole, environment)
    handover = Handover(environment=environment, material=material, exported=exported, reporter=reporter, notes=notes)
    metrics = handover.run()
    graph = to_expert_graph(chosen.whole)
    (environment.model_path / ArtifactName.EXPERTS).write_text(graph.model_dump_json(indent=1))
    return metrics


def _to_tried(single: Single, ground: Ground) -> Tried:
    score: Score = judge(single.scores, ground.validation.truth, ground.target, metric=ground.spec.metric)
    return Tried(
        name=single.name,
        whole=None,
        model=single.model,
        signature=single.signature,
        scores=single.scores,
        score=score,
    )


def export_whole(chosen: Tried, ground: Ground, *, seconds: float, environment: Environment) -> Exported:
    """The whole, compared on every row that validates with its parts run apart."""
    whole = chosen.whole
    assert whole is not None  # noqa: S101  the single model is never chosen
    scorer = Scorer(chosen.model, chosen.signature)

    def expect(frame: Frame) -> Array:
        scores = whole.answer(frame)
        undecided = np.flatnonzero(whole.find_undecided(frame))
        if len(undecided):
            # Whichever experts such a row is given to, is right.
            scores[undecided] = scorer.answer(frame.take(undecided)).scores
        return scores

    parts: list[PartModel] = [*([whole.gate] if whole.gate is not None else []), *(each.part for each in whole.experts)]
    versions = {name: version for part in parts for name, version in part.exported.card.versions.items()}
    routing = whole.combination
    card = Card(
        algorithm=ALGORITHM,
        framework="onnx",
        task=ground.target.task,
        target=ground.target.column,
        hyperparameters={
            "method": str(whole.method),
            "num_experts": len(whole.experts),
            "num_active": routing.num_active if isinstance(routing, Routing) else len(whole.experts),
            **({GATE: _describe(whole.gate)} if whole.gate is not None else {}),
            **{
                expert_name(number): {"purpose": expert.purpose, **_describe(expert.part)}
                for number, expert in enumerate(whole.experts)
            },
        },
        seed=ground.spec.seed,
        dataset=environment.dataset,
        dataset_digest=environment.dataset_digest,
        num_train_rows=ground.train.num_rows,
        evaluations=[],
        model_bytes=len(chosen.model),
        training_seconds=round(seconds, 3),
        warnings=list(ground.notes.texts),
        versions=versions,
    )
    return describe(
        chosen.model,
        chosen.signature,
        ground.material,
        data=ground.spec,
        card=card,
        expected=expect,
        validation_scores=whole.scores,
    )


def _describe(part: PartModel) -> dict[str, object]:
    card = part.exported.card
    return {"algorithm": card.algorithm, "framework": card.framework, "hyperparameters": card.hyperparameters}


def write_parts(whole: Whole, environment: Environment) -> None:
    """Gate and experts, as models of their own."""
    parts = {expert_name(number): expert.part for number, expert in enumerate(whole.experts)}
    if whole.gate is not None:
        parts[GATE] = whole.gate
    for name, part in parts.items():
        path = environment.parts_path / name
        path.mkdir(parents=True, exist_ok=True)
        for file_name, body in to_files(part.exported).items():
            (path / file_name).write_bytes(body)
        write_validation_report(part.exported, path)


def write_document(document: Decomposition, environment: Environment) -> None:
    """`decomposition.json`, and as a page."""
    path = environment.output_path
    path.mkdir(parents=True, exist_ok=True)
    (path / DOCUMENT).write_text(document.model_dump_json(indent=1), encoding="utf-8")
    write_page(path, document, title=f"Decomposition of {environment.dataset}")
