"""Models that are asked at the same time, of which some may fail."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from aimass_core.domain.endpoint_settings import FanOut
from aimass_core.errors import (
    AimassError,
    DeadlineExceededError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnavailableError,
)
from aimass_core.inference.serving.model import NUMPY_TYPES, AnyModel, Array, Tensors

# Those that are waited for at the same time, of all requests of a process. (What they wait for has another pool.)
_pool = ThreadPoolExecutor(max_workers=64, thread_name_prefix="member")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A model, what it is called, and the raw columns of the rows that it is asked for."""

    name: str
    model: AnyModel
    columns: Tensors


def limit(seconds: float, fan_out: FanOut) -> float:
    """How long models are waited for, of the seconds that a request has left."""
    return seconds if fan_out.seconds is None else min(seconds, fan_out.seconds)


def ask_at_once(asked: Sequence[Asked], *, seconds: float, missing: dict[str, str]) -> dict[str, Array]:
    """Returns when all have answered, or those that have not are late: these, and why, are added to `missing`.

    Raises InvalidRequestError, PayloadTooLargeError: what was sent is wrong, whoever else may have answered.
    """
    waiting = {each.name: _pool.submit(ask, each.model, each.columns, seconds=seconds) for each in asked}
    wait(waiting.values(), timeout=max(seconds, 0))
    answers: dict[str, Array] = {}
    for name, future in waiting.items():
        try:
            answers[name] = future.result(timeout=0)
        except (TimeoutError, DeadlineExceededError):
            missing[name] = f"it did not answer within {seconds:.3g} s"
        except (InvalidRequestError, PayloadTooLargeError):
            raise
        except AimassError as error:
            missing[name] = error.message
    return answers


def require_quorum(num_answers: int, num_asked: int, *, wanted: int, what: str, missing: Mapping[str, str]) -> None:
    """Raises UnavailableError where fewer have answered than have to."""
    if num_answers < max(min(wanted, num_asked), 1):
        faults = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise UnavailableError(f"{num_answers} of {num_asked} {what} answered, and {wanted} have to. {faults}")


def ask(member: AnyModel, columns: Tensors, *, seconds: float) -> Array:
    """Its probabilities, or values. A number may be float32 to one member and float64 to another."""
    signature = member.signature
    inputs = {
        spec.name: columns[spec.column or spec.name].astype(NUMPY_TYPES[spec.datatype], copy=False)
        for spec in signature.inputs
    }
    name = "value" if signature.labels is None else "probabilities"
    return member.run(inputs, outputs=[name], seconds=seconds)[name]
