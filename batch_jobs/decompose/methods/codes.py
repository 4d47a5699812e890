"""By classes: every expert answers yes or no, for one class against the rest or for one half of them against another.

Output codes: Dietterich and Bakiri, "Solving Multiclass Learning Problems via Error-Correcting Output Codes" (1995).
"""

from collections.abc import Sequence
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.decomposition import MAX_EXPERTS, DecompositionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import Target
from batch_jobs.decompose.combining import Decoding
from batch_jobs.decompose.contract import Ground, UnfitError, take
from batch_jobs.decompose.methods.hierarchy import check_classes
from batch_jobs.decompose.parts import Expert, Question, describe_labels, expert_name
from batch_jobs.decompose.wholes import Whole

Code = NDArray[np.int8]
_NUM_DRAWN, _MAX_COUNTED = 200, 11
_LABELS = ("no", "yes")


class OneVsRest:
    """Satisfies Method."""

    method = DecompositionMethod.ONE_VS_REST

    def propose(self, ground: Ground) -> Sequence[int]:
        """An expert for each class."""
        num_classes = check_classes(ground, self.method)
        if num_classes > MAX_EXPERTS:
            raise UnfitError(f"{self.method} takes an expert for each of {num_classes} classes; {MAX_EXPERTS} is most")
        return [num_classes]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        num_classes = check_classes(ground, self.method)
        if num_experts != num_classes:
            raise UnfitError(
                f"{self.method} has an expert for each of {num_classes} classes, and num_experts is {num_experts}: "
                "leave it out"
            )
        code = np.where(np.eye(num_classes, dtype=bool), 1, -1).astype(np.int8)
        return _build(self.method, code, ground)


class OutputCodes:
    """Satisfies Method."""

    method = DecompositionMethod.OUTPUT_CODES

    def propose(self, ground: Ground) -> Sequence[int]:
        """Half as many as there are classes, but enough to tell them apart and to make good for a wrong answer; and
        where they are few, all there are."""
        num_classes = check_classes(ground, self.method)
        enough = ceil(log2(num_classes)) + 2
        most = min(MAX_EXPERTS, 2 ** (num_classes - 1) - 1)
        return [*dict.fromkeys(min(max(count, enough), most) for count in (num_classes // 2, num_classes))]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        num_classes = check_classes(ground, self.method)
        least = ceil(log2(num_classes))
        if num_experts < least:
            raise UnfitError(
                f"{num_experts} experts that answer yes or no tell at most {2**num_experts} classes apart, and there "
                f"are {num_classes}: choose at least {least}"
            )
        most = 2 ** (num_classes - 1) - 1
        if num_experts > most:
            raise UnfitError(
                f"{num_classes} classes can be divided in two in {most} ways, and num_experts is {num_experts}: choose "
                f"at most {most}"
            )
        return _build(self.method, draw_code(num_experts, num_classes, seed=ground.spec.seed), ground)


def draw_code(num_experts: int, num_classes: int, *, seed: int) -> Code:
    """Of many that are drawn, the one whose classes differ most: in the fewest answers in which two do, then in the
    mean. No two experts ask the same, and each divides the classes in two."""
    generator = np.random.default_rng(seed)
    best, best_worth = None, (-1.0, -1.0)
    for _ in range(_NUM_DRAWN):
        code = _draw(num_experts, num_classes, generator)
        distances = ((num_experts - code.T.astype(int) @ code) / 2)[np.triu_indices(num_classes, 1)]
        worth = (float(distances.min()), float(distances.mean()))
        if worth > best_worth:
            best, best_worth = code, worth
    assert best is not None  # noqa: S101  some were drawn
    return best


def _draw(num_experts: int, num_classes: int, generator: np.random.Generator) -> Code:
    """Of all ways to divide the classes where these can be counted; else halves, which hardly ever are the same."""
    if num_classes <= _MAX_COUNTED:
        # The last class always says no: what is divided the other way around is the same.
        chosen = generator.choice(2 ** (num_classes - 1) - 1, size=num_experts, replace=False) + 1
        bits = chosen[:, None] >> np.arange(num_classes) & 1
        return np.where(bits == 1, 1, -1).astype(np.int8)
    rows: dict[bytes, Code] = {}
    while len(rows) < num_experts:
        row = np.where(generator.permutation(num_classes) < num_classes // 2, 1, -1).astype(np.int8)
        rows.setdefault((row * row[0]).tobytes(), row)
    return np.stack(list(rows.values()))


def _build(method: DecompositionMethod, code: Code, ground: Ground) -> Whole:
    target, train, validation = ground.target, ground.train, ground.validation
    labels = target.labels or ()
    ground.trainer.num_fits_left = len(code)
    counts = np.bincount(train.truth, minlength=len(labels))
    if missing := [label for label, count in zip(labels, counts, strict=True) if not count]:
        raise UnfitError(f"{method}: the classes {describe_labels(missing)} have no row to train on")
    experts: list[Expert] = []
    for number, row in enumerate(code):
        says_yes = (row > 0).astype(np.int64)
        own = Target(column=target.column, task=Task.BINARY, labels=_LABELS)
        part = ground.trainer.train(
            expert_name(number),
            own,
            take(train, np.arange(train.num_rows), says_yes[train.truth]),
            take(validation, np.arange(validation.num_rows), says_yes[validation.truth]),
        )
        yes, no = np.flatnonzero(row > 0), np.flatnonzero(row <= 0)
        question = Question(groups=(tuple(no.tolist()), tuple(yes.tolist())), truth=says_yes[validation.truth])
        purpose = f"whether it is {describe_labels([labels[index] for index in yes])}"
        experts.append(Expert(purpose=purpose, part=part, question=question))
    return Whole(
        name=f"{method} of {len(code)}",
        method=method,
        target=target,
        experts=tuple(experts),
        combination=Decoding(code=code),
    )
