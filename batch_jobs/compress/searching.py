"""Tries methods alone and one after the other, the cheap ones first, and goes on from what was good.

A candidate is a sequence of steps in one order: distillation, sparsification or trimming, factorization, finetuning,
optimization, quantization. What follows on a candidate is tried unless another, on which the same can follow, beats it:
a beam along the Pareto front instead of all products. Structures that finetuning is to train are compared with each
other alone, and cut further however badly they answer; see `structures` for which of them are trained.

Where time is limited, all but a part of it is for steps that train. What a trained model is worth is only known when
what follows on it is made: that comes before all else. A step that betters another is tried where that one has lost so
much that a model of its cost which loses nothing would be chosen.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
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
from batch_jobs.compress.judging import Judge, beats, describe, find_missed, would_be_chosen
from batch_jobs.compress.structures import (
    CUTTING,
    choose_structure,
    count_trainings,
    find_storage,
    find_unknown,
    is_structure,
)
from batch_jobs.registered import costs
from batch_jobs.runtime.reporting import Reporter

ORIGINAL = "original"
_ORDER = (
    (CompressionMethod.DISTILLATION,),
    (CompressionMethod.SPARSIFICATION, CompressionMethod.TRIMMING),
    (CompressionMethod.FACTORIZATION,),
    (CompressionMethod.FINETUNING,),
    (CompressionMethod.OPTIMIZATION,),
    (CompressionMethod.QUANTIZATION,),
)
_RANKS = {method: rank for rank, methods in enumerate(_ORDER) for method in methods}
_MAX_CANDIDATES = 80
_MEASURED_SECONDS = 0.3
_NUM_STORED = 3
# Beyond so many times what may be lost, and a hundredth, nothing that comes after brings it back.
_HOPELESS_TIMES, _HOPELESS_MORE = 3.0, 0.01
_CHEAP_SHARE = 0.1
# A step that trains gets such a part of the time that is left, by how many of them wait for theirs.
_MIN_SHARES, _MAX_SHARES = 1.25, 4.0
_MAX_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A candidate with its file."""

    model: bytes
    entry: CompressionCandidate
    is_trained: bool = False
    """One of its steps has trained."""

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
    """Of the proposal among those of its method for its base, the first that is to be tried being 0."""

    @property
    def rank(self) -> int:
        return _RANKS[self.method.method]

    @property
    def name(self) -> str:
        """Of what comes of it."""
        return self._name(self.proposal.settings)

    @property
    def bettered(self) -> str | None:
        """The name of the candidate that it betters."""
        return None if self.proposal.betters is None else self._name(self.proposal.betters)

    def _name(self, settings: Settings) -> str:
        step = CompressionStep(method=self.method.method, settings=dict(settings))
        return name_of([*self.base.entry.steps, step])

    @property
    def is_finetuning(self) -> bool:
        return self.method.method is CompressionMethod.FINETUNING

    @property
    def is_cutting(self) -> bool:
        """Whether finetuning may follow on what comes of it."""
        return self.method.method in CUTTING


@dataclass(slots=True, kw_only=True)
class Search:
    """One search. `made` begins with the original."""

    methods: Sequence[Method]
    ground: Ground
    judge: Judge
    reporter: Reporter
    device_threads: int
    """With as many the latency is measured."""
    clock: Callable[[], float] = time.monotonic
    made: list[Made] = field(default_factory=list)
    unfit: list[UnfitMethod] = field(default_factory=list)
    _waiting: list[_Attempt] = field(default_factory=list)
    _reasons: set[tuple[CompressionMethod, str]] = field(default_factory=set)
    _stored: set[str] = field(default_factory=set)
    """Names of what was quantized to know its bytes and latency."""
    _cheap_seconds: float = 0.0
    """Spent on steps that do not train, of models that were not trained either."""
    _total_seconds: float | None = None

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
        began, self._total_seconds = self.clock(), self.ground.seconds_left()
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
        """The first of what is worth a try: what follows on a trained model, then the cheap ones for their part of the
        time, then those that train."""
        self._waiting = [attempt for attempt in self._waiting if self._is_wanted(attempt)]
        if not self._waiting or self._is_time_up() or len(self.made) > _MAX_CANDIDATES:
            return None
        trained = self._find_trained()
        cheap = [each for each in self._waiting if not each.proposal.is_trained]
        due = [each for each in cheap if self._is_due(each)]
        is_turn_to_train = trained and (not cheap or self._has_spent_share())
        attempt = self._choose_trained(trained) if is_turn_to_train and not due else self._choose_cheap(due or cheap)
        self._waiting = [each for each in self._waiting if each is not attempt]
        return attempt

    def _find_trained(self) -> list[_Attempt]:
        """Those that train and could be next: what they better is made."""
        names = {None, *(each.entry.name for each in self.made)}
        return [each for each in self._waiting if each.proposal.is_trained and each.bettered in names]

    def _is_due(self, attempt: _Attempt) -> bool:
        """Whether it says what a training was worth that was worth something."""
        is_cut_again = self._can_finetune and attempt.is_cutting
        is_stored = attempt.base.is_trained and not attempt.proposal.is_trained and not is_cut_again
        return is_stored and attempt.base.entry.metric_drop <= self.spec.max_metric_drop

    def _has_spent_share(self) -> bool:
        return self._total_seconds is not None and self._cheap_seconds > _CHEAP_SHARE * self._total_seconds

    def _choose_cheap(self, attempts: Sequence[_Attempt]) -> _Attempt:
        """First those that tell what is left of a file that is stored otherwise, if bytes are limited; then what makes
        structures to train; of several the first of its method."""
        num_stored = sum(
            bool(each.entry.steps) and each.rank == _RANKS[CompressionMethod.QUANTIZATION] for each in self.made
        )
        is_known = num_stored >= _NUM_STORED
        return min(
            attempts,
            key=lambda each: (
                is_known or not self._is_far or each.method.method is not CompressionMethod.QUANTIZATION,
                not (self._can_finetune and each.is_cutting),
                each.place,
                each.rank,
            ),
        )

    def _choose_trained(self, attempts: Sequence[_Attempt]) -> _Attempt:
        """Structures first: they begin with what the original has learned. So does what betters another: of these the
        smallest, as the larger ones are of no use where it is good."""
        chosen = choose_structure(self._entries, self._structures(attempts), self.spec)
        if chosen is not None and (storing := self._find_storing(chosen)) is not None:
            return storing
        for each in attempts:
            if each.is_finetuning and each.base.entry.name == chosen:
                return each
        sizes = {each.entry.name: each.entry.cost.model_bytes for each in self.made}
        return min(attempts, key=lambda each: (sizes.get(each.bettered or "", math.inf), each.place, each.rank))

    def _find_storing(self, structure: str) -> _Attempt | None:
        """What tells whether the structure keeps to the limits, before it is trained."""
        (base,) = [each for each in self.made if each.entry.name == structure]
        known = [each.entry for each in self.made if not each.is_trained]
        step = find_storage(base.entry, known, self.spec)
        if step is None:
            return None
        (method,) = [each for each in self.methods if each.method is step.method]
        attempt = _Attempt(base=base, method=method, proposal=Proposal(settings=step.settings), place=0)
        if attempt.name in self._stored:
            return None
        self._stored.add(attempt.name)
        return attempt

    @property
    def _can_finetune(self) -> bool:
        return any(method.method is CompressionMethod.FINETUNING for method in self.methods)

    @property
    def _entries(self) -> list[CompressionCandidate]:
        return [each.entry for each in self.made]

    @staticmethod
    def _structures(attempts: Iterable[_Attempt]) -> list[str]:
        return [each.base.entry.name for each in attempts if each.is_finetuning]

    def _is_wanted(self, attempt: _Attempt) -> bool:
        if attempt.bettered is not None and not self._is_worth_bettering(attempt):
            return False
        base, rivals = attempt.base.entry, [each for each in self.made if each is not attempt.base]
        if attempt.is_finetuning:
            # Trained ones have another score by another right.
            rivals = [each for each in rivals if is_structure(each.entry)]
            if not find_unknown(self._entries, [base.name], self.spec):
                return False
        elif attempt.is_cutting and self._can_finetune:
            rivals = [each for each in rivals if not each.is_trained]
        elif not attempt.proposal.is_trained and base.metric_drop > self._hopeless():
            return False
        return not any(beats(rival.entry, base) for rival in rivals if attempt.rank > rival.rank)

    def _is_worth_bettering(self, attempt: _Attempt) -> bool:
        """Or what it betters is still to be tried."""
        found = next((each for each in self._entries if each.name == attempt.bettered), None)
        if found is not None:
            return would_be_chosen(found, attempt.base.entry, self._entries, self.spec)
        return any(each.name == attempt.bettered and self._is_wanted(each) for each in self._waiting)

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
            is_trained = base.is_trained or attempt.proposal.is_trained
            self._add(bytes(changed.SerializeToString(deterministic=True)), steps, began, is_trained=is_trained)
        except Exception as error:  # noqa: BLE001 - whatever a candidate raises is its failure, and the search goes on
            self._reject(method, _reason(error), candidate=name_of(steps))
        if not attempt.proposal.is_trained and not self._is_due(attempt):
            self._cheap_seconds += self.clock() - began

    def _grounds(self, attempt: _Attempt) -> Ground:
        """One that trains gets a part of the time."""
        left = self.ground.seconds_left()
        if left is None or not attempt.proposal.is_trained:
            return self.ground
        trained = [attempt, *self._find_trained()]
        if attempt.is_finetuning:
            num_shares = count_trainings(self._entries, self._structures(trained), self.spec)
        else:
            num_shares = len(trained) - len(self._structures(trained))
        ends = self.clock() + left / min(max(float(num_shares), _MIN_SHARES), _MAX_SHARES)
        return replace(self.ground, seconds_left=lambda: ends - self.clock())

    def _add(self, model: bytes, steps: Sequence[CompressionStep], began: float, *, is_trained: bool = False) -> None:
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
        entry = entry.model_copy(update={"missed": find_missed(entry, self.spec)})
        made = Made(model=model, entry=entry, is_trained=is_trained)
        self.made.append(made)
        self._expand(made)

    def _expand(self, made: Made) -> None:
        graph = onnx.load_from_string(made.model)
        for method in self.methods:
            if _RANKS[method.method] <= made.rank:
                continue
            if method.method is CompressionMethod.FINETUNING and not is_structure(made.entry):
                continue
            try:
                proposals = method.propose(graph, self.ground)
            except Exception as error:  # noqa: BLE001 - as in `_carry_out`
                if not made.entry.steps:
                    self._reject(method, _reason(error))
                continue
            self._waiting += [
                _Attempt(base=made, method=method, proposal=proposal, place=place)
                for place, proposal in enumerate(self._order(method, proposals))
            ]

    def _order(self, method: Method, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
        """The mildest first, or far from the limits the strongest; of ways to cut a network those in the middle, so
        that there are soon some of all sizes. Quantizations are of different kinds, the most usual first."""
        if self._can_finetune and method.method in CUTTING:
            middle = (len(proposals) - 1) / 2
            return [proposals[at] for at in sorted(range(len(proposals)), key=lambda at: abs(at - middle))]
        if method.method is CompressionMethod.QUANTIZATION:
            return proposals
        return proposals[::-1] if self._is_far else proposals

    @property
    def _is_far(self) -> bool:
        """Whether the original misses a limit of bytes or latency, as mild settings then do too."""
        return bool(self.made[0].entry.missed)

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
    return " + ".join(f"{step.method} {to_words(step.settings)}".strip() for step in steps) or ORIGINAL


def to_words(settings: Settings) -> str:
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
