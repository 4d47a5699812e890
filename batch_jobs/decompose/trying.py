"""Tries methods, numbers and sizes of experts, the most promising first, as long as there is time."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from aimass_core.domain.decomposition import PartSpec
from aimass_core.errors import AimassError, InvalidRequestError
from batch_jobs.data.frames import Frame
from batch_jobs.data.targets import fit_scale
from batch_jobs.decompose.combining import Cascading, Routing
from batch_jobs.decompose.contract import Ground, Method, UnfitError
from batch_jobs.decompose.graph import build_graph, join_parts_signatures
from batch_jobs.decompose.measuring import Tried, judge
from batch_jobs.decompose.methods import METHODS
from batch_jobs.decompose.methods.cascade import vary_limits
from batch_jobs.decompose.sizes import shrink
from batch_jobs.decompose.training import to_train_spec
from batch_jobs.decompose.wholes import Whole
from batch_jobs.evaluate.scoring import Scorer

MIN_SHARE = 0.1
"""Of an expert beside the first, for a row to be given to it."""
_SHARE_OF_SINGLE_SECONDS = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A whole to be tried."""

    method: Method
    num_experts: int
    expert: PartSpec
    suffix: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.method.method} of {self.num_experts}{self.suffix}"


@dataclass(kw_only=True)
class Trial:
    """All that was tried in one job."""

    ground: Ground
    deadline: float | None
    single_seconds: float
    measuring_seconds: float
    """What measuring one of them takes, which comes after all trying and before the deadline."""
    tried: list[Tried] = field(default_factory=list)
    unfit: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Raises InvalidRequestError where the method that was asked for cannot split the task, or none can."""
        candidates = list(self._candidates())
        for position, candidate in enumerate(candidates):
            if self.tried and not self._has_time():
                self._stop(candidates[position:])
                break
            self._try(candidate, num_left=len(candidates) - position)
        if not self.tried:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.unfit.items())
            raise InvalidRequestError(f"nothing splits this task: {reasons}")

    def _candidates(self) -> Iterator[Candidate]:
        """One of each method with small experts, which are what a decomposition is for, then at full size, then with
        other numbers of experts."""
        spec = self.ground.spec
        sizes = self._sizes()
        proposed: list[tuple[Method, list[int]]] = []
        for method in METHODS:
            if spec.method is not None and method.method is not spec.method:
                continue
            try:
                counts = [spec.num_experts] if spec.num_experts else list(method.propose(self.ground))
            except UnfitError as error:
                self._leave_out(str(method.method), str(error))
                continue
            proposed.append((method, counts))
        deepest = max((len(counts) for _, counts in proposed), default=0)
        for depth in range(deepest):
            for expert, suffix in sizes:
                for method, counts in proposed:
                    if depth < len(counts):
                        yield Candidate(method=method, num_experts=counts[depth], expert=expert, suffix=suffix)

    def _sizes(self) -> list[tuple[PartSpec, str]]:
        """What experts are trained as; where the job says it, only that."""
        spec, full = self.ground.spec, self.ground.trainer.expert
        if spec.expert is not None:
            return [(full, "")]
        resolved = to_train_spec(spec, full).resolve_hyperparameters().model_dump(mode="json")
        others = {", smaller": shrink(full, resolved), "": full}
        return [(part, suffix) for suffix, part in others.items() if part is not None]

    def _try(self, candidate: Candidate, *, num_left: int) -> None:
        trainer, reporter = self.ground.trainer, self.ground.trainer.reporter
        reporter.progress(f"trying {candidate.name}")
        trainer.expert = candidate.expert
        if self.ground.spec.gate is None:
            trainer.gate = candidate.expert
        trainer.begin(candidate.name, num_fits=candidate.num_experts, deadline=self._share_time(num_left))
        try:
            whole = candidate.method.build(candidate.num_experts, self.ground)
            self.tried += [
                self._finish(replace(variant, name=f"{variant.name}{candidate.suffix}"))
                for variant in self._vary(whole)
            ]
        except UnfitError as error:
            if self._is_asked_for:
                raise InvalidRequestError(str(error)) from error
            self._leave_out(candidate.name, str(error))
        except AimassError as error:
            if self._is_asked_for:
                raise
            self._leave_out(candidate.name, error.message)

    @property
    def _is_asked_for(self) -> bool:
        """Whether the whole at hand is the only one that the job wants."""
        return self.ground.spec.method is not None and self.ground.spec.num_experts is not None

    def _leave_out(self, name: str, reason: str) -> None:
        self.unfit[name] = reason
        self.ground.notes(f"{name} is left out: {reason}")

    def _vary(self, whole: Whole) -> Iterator[Whole]:
        """With as many experts for a row as are asked for, else with one, and with two where the gate is unsure; of a
        cascade with other limits."""
        routing, asked = whole.combination, self.ground.spec.num_active
        if isinstance(routing, Cascading):
            yield from vary_limits(whole, self._frame())
            return
        if not isinstance(routing, Routing):
            yield whole
            return
        if asked is None or asked == 1:
            yield whole
        if asked == 1:
            return
        several = replace(routing, num_active=asked or 2, min_share=MIN_SHARE)
        found = replace(whole, combination=several, name=f"{whole.name}, up to {several.num_active} where unsure")
        if asked is not None or found.share(self._frame()).sum(axis=1).max() > 1:
            yield found

    def _finish(self, whole: Whole) -> Tried:
        """As one graph, judged by its own answers."""
        ground = self.ground
        signature = join_parts_signatures(whole, ground.material)
        scale = fit_scale(ground.target, ground.train.truth)
        model = build_graph(whole, ground.material, scale).SerializeToString(deterministic=True)
        scores = whole.scores
        if scores is None:
            scores = Scorer(model, signature).answer(self._frame()).scores
        score = judge(scores, ground.validation.truth, ground.target, metric=ground.spec.metric)
        ground.notes(f"{whole.name}: {score.metric} {score.value:.5g}")
        return Tried(name=whole.name, whole=whole, model=model, signature=signature, scores=scores, score=score)

    def _frame(self) -> Frame:
        return self.ground.frame(self.ground.validation)

    def _has_time(self) -> bool:
        ends = self._ends
        return ends is None or ends - time.monotonic() > _SHARE_OF_SINGLE_SECONDS * self.single_seconds

    @property
    def _ends(self) -> float | None:
        return None if self.deadline is None else self.deadline - self.measuring_seconds * (len(self.tried) + 1)

    def _share_time(self, num_left: int) -> float | None:
        """Twice what is there for each of those that are left: not all take that long, and the first are the best."""
        ends = self._ends
        if ends is None:
            return None
        now = time.monotonic()
        wanted = max(2 * (ends - now) / max(num_left, 1), 2 * self.single_seconds)
        return min(now + wanted, ends)

    def _stop(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            self.unfit[candidate.name] = "no time was left: give the job a larger max_seconds, or name the method"
        self.ground.notes(f"no time is left to try {', '.join(candidate.name for candidate in candidates)}")
