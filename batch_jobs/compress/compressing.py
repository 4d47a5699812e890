"""A compress job: from a registered model to a smaller and faster one, each candidate measured as it will be served."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aimass_core.domain.compression import (
    Compression,
    CompressionCandidate,
    CompressionMethod,
    CompressSpec,
)
from aimass_core.domain.signatures import Card, Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.compress.contract import Ground
from batch_jobs.compress.judging import Judge, advise, choose, describe, find_missed, mark_front
from batch_jobs.compress.methods import load_methods
from batch_jobs.compress.page import write_compression
from batch_jobs.compress.searching import Made, Search
from batch_jobs.compress.students import resolve_student
from batch_jobs.registered import costs
from batch_jobs.registered.material import read_material
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.registered.results import describe as describe_model
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import begin_budget
from batch_jobs.train.handover import Handover
from batch_jobs.train.material import TRAIN, Material
from batch_jobs.train.notes import Notes

PARENT = "parent"
_MIN_ROWS = 20
_MAX_FINALISTS = 12
_MAX_ROUNDS = 3
"""Of measuring finalists, where none of the first is to be chosen."""
_FINAL_SECONDS = 1.0
_FINAL_SHARE = 1 / 6


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Compresses as `environment.spec` says.

    Leaves what a training job leaves, and `compression.json` and `compression.html` in `output_path`; these two even
    where nothing meets the limits.

    Returns:
        The metrics of the model, as a training job's.

    Raises:
        InvalidRequestError: Nothing meets the limits, or nothing is smaller or faster than the original; or there is
            no such role, metric, or data.
        InvalidDataError: The data does not have what the model reads.
    """
    spec = environment.spec
    if not isinstance(spec, CompressSpec):
        raise InvalidRequestError(f"a {spec.kind} job is no compress job")
    notes, began = Notes(reporter), time.monotonic()
    reporter.progress("reading")
    original = RegisteredModel.load(environment.models[PARENT], name=spec.parent)
    data = _find_data(spec, original)
    material = _read(environment, data, original, notes)
    budget = begin_budget(environment.deadline, reading_seconds=time.monotonic() - began)
    search = build_search(environment, spec, original, material, ends=budget.deadline, message=notes, reporter=reporter)
    search.run()
    found = settle(search, seconds=_share_final(environment.deadline))
    write_compression(environment.output_path, found.compression)
    if found.winner is None:
        raise InvalidRequestError(" ".join([*found.compression.advice, f"{original.name} stays as it is."]))
    notes(f"{found.winner.entry.name} is the model: {describe(found.winner.entry)}; the original: {found.words}")
    reporter.progress("exporting")
    exported = describe_model(
        found.winner.model,
        original.signature,
        material,
        data=data,
        card=build_card(environment, original, found.winner.entry, material, seconds=time.monotonic() - began),
    )
    return Handover(environment=environment, material=material, exported=exported, reporter=reporter, notes=notes).run()


def _share_final(deadline: float | None) -> float:
    """What measuring a finalist may take: all of them together a part of what is left, as there is more to come."""
    if deadline is None:
        return _FINAL_SECONDS
    left = max(deadline - time.monotonic(), 0.0)
    return min(_FINAL_SECONDS, _FINAL_SHARE * left / _MAX_FINALISTS)


def _find_data(spec: CompressSpec, original: RegisteredModel) -> LearningSpec:
    if spec.data is None:
        raise InvalidRequestError(
            f"No job of ours has trained {original.name}, so that nobody knows which data judges it: name it as `data`."
        )
    if original.signature.task is Task.CUSTOM:
        raise InvalidRequestError(
            f"{original.name} answers with outputs of its own, and nothing tells how good they are: models that answer "
            "with a label, a value or a forecast can be compressed"
        )
    return spec.data


def _read(environment: Environment, data: LearningSpec, original: RegisteredModel, notes: Notes) -> Material:
    material = read_material(environment, data, [original], notes)
    num_rows = material.parts[TRAIN].num_rows
    if num_rows < _MIN_ROWS:
        raise InvalidRequestError(
            f"the data has {num_rows} rows to work with, and it takes {_MIN_ROWS} to calibrate and to judge: give more"
        )
    if original.card.is_refitted:
        notes(
            f"{original.name} was fitted on the rows that judge too: what it loses may seem more than it does on others"
        )
    return material


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The table, and the winner where there is one."""

    compression: Compression
    winner: Made | None
    words: str
    """Of the original's figures."""


def build_search(
    environment: Environment,
    spec: CompressSpec,
    original: RegisteredModel,
    material: Material,
    *,
    ends: float | None,
    message: Callable[[str], None],
    reporter: Reporter,
) -> Search:
    """A search that has begun nothing yet, of a model on this machine, until `ends` by the monotonic clock."""
    judge = Judge(material, original.signature, spec, num_threads=environment.num_cpus)
    scratch_path = environment.base_path / "scratch"
    scratch_path.mkdir(parents=True, exist_ok=True)
    ground = Ground(
        spec=spec,
        original=original,
        material=material,
        score=judge.rank,
        num_threads=environment.num_cpus,
        seed=spec.seed,
        scratch_path=scratch_path,
        seconds_left=lambda: None if ends is None else ends - time.monotonic(),
        message=message,
    )
    return Search(
        methods=load_methods(spec.methods),
        ground=ground,
        judge=judge,
        reporter=reporter,
        device_threads=costs.resolve_threads(spec.device, num_cpus=environment.num_cpus),
    )


def settle(search: Search, *, num_finalists: int = _MAX_FINALISTS, seconds: float = _FINAL_SECONDS) -> Outcome:
    """Measures once more what a search has made, so many of the best for so long each, and chooses."""
    return _Found(
        search=search,
        spec=search.spec,
        num_finalists=num_finalists,
        seconds=seconds,
    ).settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a search has made, to be measured once more and chosen from."""

    search: Search
    spec: CompressSpec
    num_finalists: int
    seconds: float

    def settle(self) -> Outcome:
        """See the function."""
        made, places = list(self.search.made), list[int]()
        for _ in range(_MAX_ROUNDS):
            found = self._find_finalists([each.entry for each in made], places)
            self._measure_again(made, found)
            places += found
            # What was measured alone is not chosen: it is compared with what was measured at other times.
            best = choose([made[place].entry for place in (0, *places)], self.spec)
            if best is not None or choose([each.entry for each in made], self.spec) is None:
                break
        entries = mark_front([each.entry for each in made])
        winner = next((each for each in made if each.entry is best), None)
        entries = [
            each.model_copy(update={"is_chosen": one is winner}) for each, one in zip(entries, made, strict=True)
        ]
        compression = Compression(
            parent=self.spec.parent,
            device=self.spec.device,
            num_threads=self.search.device_threads,
            max_model_bytes=self.spec.max_model_bytes,
            max_latency_ms=self.spec.max_latency_ms,
            max_metric_drop=self.spec.max_metric_drop,
            candidates=entries,
            unfit=self.search.unfit,
            advice=[] if winner is not None else self._advise(entries),
        )
        return Outcome(compression=compression, winner=winner, words=describe(entries[0]))

    def _find_finalists(self, entries: Sequence[CompressionCandidate], known: Sequence[int]) -> list[int]:
        """Places of some that are not known yet: half of them would be chosen one after the other, the rest are the
        smallest that no other beats."""
        rest = [place for place in range(1, len(entries)) if place not in known]
        found: list[int] = []
        while len(found) < self.num_finalists // 2:
            left = [entries[place] for place in rest if place not in found]
            best = choose([entries[0], *left], self.spec)
            if best is None:
                break
            found.append(next(place for place in rest if entries[place] is best))
        marked = mark_front(entries)
        by_size = sorted(rest, key=lambda at: (not marked[at].is_pareto, *_order(marked[at])))
        return [*found, *(place for place in by_size if place not in found)][: self.num_finalists]

    def _measure_again(self, made: list[Made], places: Sequence[int]) -> None:
        """These and the original, in turns: what disturbs the machine disturbs all of them alike."""
        measured = [0, *places]
        found = costs.measure_all(
            [made[place].model for place in measured],
            self.search.judge.signature,
            self.search.judge.frame,
            num_threads=self.search.device_threads,
            seconds=self.seconds,
        )
        for place, cost in zip(measured, found, strict=True):
            entry = made[place].entry.model_copy(update={"cost": cost})
            entry = entry.model_copy(update={"missed": find_missed(entry, self.spec)})
            made[place] = replace(made[place], entry=entry)

    def _advise(self, entries: Sequence[CompressionCandidate]) -> list[str]:
        if len(entries) == 1 and self.search.num_waiting:
            return [
                f"Time was up before anything was made of {self.spec.parent}: give the job a larger max_seconds "
                f"({self.search.num_waiting} candidates were still to be tried)."
            ]
        if len(entries) == 1:
            reasons = "; ".join(f"{each.method}: {each.reason}" for each in self.search.unfit) or "no method fits it"
            return [f"Nothing could be made of {self.spec.parent}: {reasons}."]
        if all(each.missed for each in entries[1:]):
            return [f"{words}." for words in ("Nothing meets the limits", *advise(entries, self.spec))]
        return [
            f"No candidate within the limits is smaller and no slower, or faster and no larger, than "
            f"{self.spec.parent} ({describe(entries[0])}).",
            "Where a smaller file may be slower, or a faster one larger, set max_model_bytes or max_latency_ms.",
        ]


def _order(entry: CompressionCandidate) -> tuple[bool, int]:
    return bool(entry.missed), entry.cost.model_bytes


def build_card(
    environment: Environment,
    original: RegisteredModel,
    winner: CompressionCandidate,
    material: Material,
    *,
    seconds: float,
) -> Card:
    """The parent's, or where a student was trained the student's; and what was done."""
    known, compression = (
        original.card,
        {
            "compressed_from": original.name,
            "compression": winner.name,
            "metric_drop": {winner.score.metric: winner.metric_drop},
        },
    )
    update: dict[str, object] = {
        "hyperparameters": known.hyperparameters | compression,
        "warnings": [],
        "training_seconds": round(seconds, 3),
        "dataset": environment.dataset or known.dataset,
        "dataset_digest": environment.dataset_digest or known.dataset_digest,
    }
    taught = [step for step in winner.steps if step.method is CompressionMethod.DISTILLATION]
    if taught:
        student = resolve_student(taught[-1].settings, original)
        update |= {
            "algorithm": student.algorithm.name,
            "framework": student.framework,
            "hyperparameters": student.hyperparameters.model_dump(mode="json") | compression,
            "num_train_rows": material.parts[TRAIN].num_rows,
            "is_refitted": False,
        }
    return known.model_copy(update=update)
