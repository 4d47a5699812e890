"""Tries methods alone and one after the other, the cheap ones first, and goes on from what was good.

Where time is limited, steps that train and steps that do not share it.

A candidate is a sequence of steps in one order: distillation, sparsification or trimming, factorization, optimization,
quantization. What follows on a candidate is tried unless another, on which the same can follow, beats it: a beam along
the Pareto front instead of all products.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import onnx

from aimass_core.domain.compression import (
    CompressionCandidate,
    CompressionMethod,
    CompressionStep,
    CompressSpec,
    UnfitMethod,
)
from aimass_core.errors import AimassError, InvalidDataError
from batch_jobs.compress.contract import Ground, Method, Proposal, Settings, UnfitError
from batch_jobs.compress.judging import Judge, beats, describe, find_missed
from batch_jobs.registered import costs
from batch_jobs.runtime.reporting import Reporter

ORIGINAL = "original"
_ORDER = (
    (CompressionMethod.DISTILLATION,),
    (CompressionMethod.SPARSIFICATION, CompressionMethod.TRIMMING),
    (CompressionMethod.FACTORIZATION,),
    (CompressionMethod.OPTIMIZATION,),
    (CompressionMethod.QUANTIZATION,),
)
_RANKS = {method: rank for rank, methods in enumerate(_ORDER) for method in methods}
_MAX_CANDIDATES = 80
_MEASURED_SECONDS = 0.3
# Beyond so many times what may be lost, and a hundredth, nothing that comes after brings it back.
_HOPELESS_TIMES, _HOPELESS_MORE = 3.0, 0.01
_CHEAP_SHARE = 0.1
# A step that trains gets such a part of the time that is left, if no fewer of them wait for theirs.
_MAX_SHARES = 4
_MAX_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A candidate with its file."""

    model: bytes
    entry: CompressionCandidate

    @property
    def rank(self) -> int:
        """Of its last step."""
        return _RANKS[self.entry.steps[-1].method] if self.entry.steps else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    base: Made
    method: Method
    proposal: Proposal
    place: int
    """Of the proposal among those of its method for its base: the mildest first, or in haste the strongest."""

    @property
    def rank(self) -> int:
        return _RANKS[self.method.method]


@dataclass(slots=True, kw_only=True)
class Search:
    """One search. `made` begins with the original."""

    methods: Sequence[Method]
    ground: Ground
    judge: Judge
    reporter: Reporter
    device_threads: int
    """With as many the latency is measured."""
    is_hasty: bool = False
    """There is little time to keep the limits: the strongest settings of a method come first, and what trains is not
    put off until all else is tried."""
    clock: Callable[[], float] = time.monotonic
    made: list[Made] = field(default_factory=list)
    unfit: list[UnfitMethod] = field(default_factory=list)
    _waiting: list[_Attempt] = field(default_factory=list)
    _reasons: set[tuple[CompressionMethod, str]] = field(default_factory=set)
    _seconds: dict[bool, float] = field(default_factory=lambda: {False: 0.0, True: 0.0})
    """Spent on steps that train, and on those that do not."""

    @property
    def spec(self) -> CompressSpec:
        """Of the job."""
        return self.ground.spec

    @property
    def num_waiting(self) -> int:
        """Candidates that are still to be tried."""
        return len(self._waiting)

    def run(self) -> None:
        """Until nothing is left to try, or time is up. Raises as `Judge.score` does for the original."""
        began = self.clock()
        try:
            self._add(self.ground.original.model, [], began)
        except InvalidDataError as error:
            raise InvalidDataError(f"{self.ground.original.name} cannot be compressed: {error.message}") from error
        while (attempt := self._next()) is not None:
            self._carry_out(attempt)
        if self._waiting and self._is_time_up():
            self.ground.message(
                f"time was up with {len(self._waiting)} candidates still to be tried: a larger max_seconds tries more"
            )

    def _next(self) -> _Attempt | None:
        """The cheapest of what is worth a try: of several the mildest, then that whose base came first."""
        self._waiting = [attempt for attempt in self._waiting if self._is_wanted(attempt)]
        if not self._waiting or self._is_time_up() or len(self.made) > _MAX_CANDIDATES:
            return None
        is_turn = self._is_turn_to_train()
        attempt = min(
            self._waiting,
            key=lambda each: (
                not self.is_hasty and each.proposal.is_trained is not is_turn,
                each.place,
                each.rank,
            ),
        )
        self._waiting.remove(attempt)
        return attempt

    def _is_turn_to_train(self) -> bool:
        """Once the cheap steps have had a tenth of the time, each kind gets as much of it as the other."""
        left = self.ground.seconds_left()
        if left is None:
            return False
        cheap, trained = self._seconds[False], self._seconds[True]
        return cheap > trained and cheap > _CHEAP_SHARE * (cheap + trained + left)

    def _is_wanted(self, attempt: _Attempt) -> bool:
        base = attempt.base.entry
        if not attempt.proposal.is_trained and base.metric_drop > self._hopeless():
            return False
        rivals = (other.entry for other in self.made if attempt.rank > other.rank and other is not attempt.base)
        return not any(beats(rival, base) for rival in rivals)

    def _hopeless(self) -> float:
        return _HOPELESS_TIMES * self.spec.max_metric_drop + _HOPELESS_MORE

    def _is_time_up(self) -> bool:
        left = self.ground.seconds_left()
        return left is not None and left <= 0

    def _carry_out(self, attempt: _Attempt) -> None:
        method, settings, base = attempt.method, dict(attempt.proposal.settings), attempt.base
        step = CompressionStep(method=method.method, settings=settings)
        steps, began = [*base.entry.steps, step], self.clock()
        self._tell(name_of(steps))
        ground = self._grounds(attempt)
        try:
            changed = method.apply(onnx.load_from_string(base.model), settings, ground)
            self._add(bytes(changed.SerializeToString(deterministic=True)), steps, began)
        except Exception as error:  # noqa: BLE001 - whatever a candidate raises is its failure, and the search goes on
            self._reject(method, _reason(error), candidate=name_of(steps))
        self._seconds[attempt.proposal.is_trained] += self.clock() - began

    def _grounds(self, attempt: _Attempt) -> Ground:
        """One that trains gets a part of the time."""
        left = self.ground.seconds_left()
        if left is None or not attempt.proposal.is_trained:
            return self.ground
        num_waiting = 1 + sum(other.proposal.is_trained for other in self._waiting)
        ends = self.clock() + left / min(num_waiting, _MAX_SHARES)
        return replace(self.ground, seconds_left=lambda: ends - self.clock())

    def _add(self, model: bytes, steps: Sequence[CompressionStep], began: float) -> None:
        """Measures a candidate, and thinks of what may follow on it."""
        if any(model == known.model for known in self.made):
            raise UnfitError("it changes nothing")
        score = self.judge.score(model)
        original = self.made[0].entry.score if self.made else score
        cost = costs.measure(
            model,
            self.judge.signature,
            self.judge.frame,
            num_threads=self.device_threads,
            seconds=_MEASURED_SECONDS,
            is_fresh=False,
        )
        entry = CompressionCandidate(
            name=name_of(steps),
            steps=list(steps),
            score=score,
            metric_drop=self.judge.drop(original, score),
            cost=cost,
            seconds=round(self.clock() - began, 3),
        )
        made = Made(model=model, entry=entry.model_copy(update={"missed": find_missed(entry, self.spec)}))
        self.made.append(made)
        self._expand(made)

    def _expand(self, made: Made) -> None:
        graph = onnx.load_from_string(made.model)
        for method in self.methods:
            if _RANKS[method.method] <= made.rank:
                continue
            try:
                proposals = method.propose(graph, self.ground)
            except Exception as error:  # noqa: BLE001 - as in `_carry_out`
                if not made.entry.steps:
                    self._reject(method, _reason(error))
                continue
            self._waiting += [
                _Attempt(base=made, method=method, proposal=proposal, place=place)
                for place, proposal in enumerate(reversed(proposals) if self.is_hasty else proposals)
            ]

    def _reject(self, method: Method, reason: str, *, candidate: str = "") -> None:
        """The same reason is told of the first candidate that it had."""
        if (method.method, reason) not in self._reasons:
            self._reasons.add((method.method, reason))
            words = f"{candidate}: {reason}" if candidate else reason
            self.unfit.append(UnfitMethod(method=method.method, reason=words))
            self.ground.message(f"{method.method}: {words}")

    def _tell(self, name: str) -> None:
        """What is tried now, and the best so far."""
        fit = [each.entry for each in self.made if each.entry.steps and not each.entry.missed]
        best = min(fit, key=lambda each: each.cost.model_bytes, default=None)
        words = "none yet" if best is None else f"{best.name} ({describe(best)})"
        num_tried = len(self.made) + len(self.unfit)
        self.reporter.progress(
            "searching",
            step=num_tried,
            num_steps=num_tried + len(self._waiting) + 1,
            message=f"{name}; smallest within the limits: {words}",
        )


def name_of(steps: Sequence[CompressionStep]) -> str:
    """`factorization energy 0.95 + quantization int8 static`."""
    return " + ".join(f"{step.method} {_words(step.settings)}".strip() for step in steps) or ORIGINAL


def _words(settings: Settings) -> str:
    """Texts stand for themselves; numbers have their names, and what is on is named."""
    words = []
    for name, value in settings.items():
        if isinstance(value, str):
            words.append(value)
        elif value is True:
            words.append(name)
        elif value not in (None, False):
            words.append(f"{name.replace('_', ' ')} {value:g}")
    return " ".join(words)


def _reason(error: Exception) -> str:
    words = error.message if isinstance(error, AimassError) else str(error)
    if not isinstance(error, UnfitError | AimassError):
        words = f"{type(error).__name__}: {words}"
    return " ".join(words.split())[:_MAX_REASON]
