"""Requests of an endpoint on their way to its versions: who is asked, what is compared, and what is counted."""

import hashlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import Endpoint, Rollout, ServedModel
from aimass_core.domain.rollouts import Strategy
from aimass_core.domain.statuses import STATUSES
from aimass_core.errors import AimassError
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.serving import comparing
from aimass_core.inference.serving.asking import Ask
from aimass_core.inference.serving.counting import Counting
from aimass_core.inference.serving.endpoints import ServingEndpoints, require_version
from aimass_core.services import endpoint_counters
from aimass_core.services.endpoint_counters import CountedVersion

MODEL_HEADER = "x-aimass-model"
_BY_KEY = "api-key"
_FAILED = 500
# Of the time that is left, so that the former version can still answer.
_SHARE_OF_CANDIDATE = 0.5
# A shadow may take longer than the version that has answered, but its caller waits for it.
_SHADOW_TIMES, _SHADOW_SECONDS = 4.0, 1.0
# What a new version may do that is no fault of a caller: also answers that are not what its signature says.
_FAULTS = (AimassError, ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one version has answered. The seconds are those of the answer, without loading the model."""

    answer: PredictionAnswer
    seconds: float


class Traffic:
    """Satisfies `Asking`. During a rollout no request fails that the former version can answer.

    Args:
        draw: a number from 0 to 1, below which the share of requests that a new version gets lies.
        monotonic: seconds.
    """

    def __init__(
        self,
        endpoints: ServingEndpoints,
        counting: Counting,
        *,
        draw: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoints, self._counting, self._draw, self._monotonic = endpoints, counting, draw, monotonic

    def answer(
        self, request: PredictionRequest, caller: Principal, name: str, ask: Ask, *, number: int | None = None
    ) -> PredictionAnswer:
        """See Asking. The answer's header x-aimass-model names the version."""
        endpoint = self._endpoints.find(caller.workspace_id, name)
        stable = require_version(endpoint, number)
        if endpoint.settings.timeout_seconds is not None:
            request = self._within(request, endpoint.settings.timeout_seconds)
        rollout = endpoint.rollout if number is None else None
        try:
            if rollout is None or not self._is_drawn(endpoint, rollout, request, caller):
                return self._ask(ask, request, endpoint, stable, in_rollout=rollout is not None).answer
            if rollout.plan.strategy is Strategy.SHADOW:
                return self._answer_beside(ask, request, endpoint, rollout, stable)
            return self._answer_by_candidate(ask, request, endpoint, rollout, stable)
        finally:
            self._counting.flush()

    def _answer_by_candidate(
        self, ask: Ask, request: PredictionRequest, endpoint: Endpoint, rollout: Rollout, stable: ServedModel
    ) -> PredictionAnswer:
        guards = rollout.plan.guards
        counted = endpoint_counters.to_counted(endpoint, rollout.model)
        limited = self._within(request, request.seconds_left() * _SHARE_OF_CANDIDATE)
        given = self._try_safely(ask, limited, endpoint, rollout.model)
        if given is None:
            answer = self._ask(ask, request, endpoint, stable).answer
            self._counting.count(counted, seconds=0, status=_FAILED)
            return answer
        num_failed = comparing.num_failed(given.answer)
        if not num_failed and guards.max_disagreement is None:
            self._count(counted, given)
            return given.answer
        other = self._try_safely(ask, request, endpoint, stable)
        if other is not None and comparing.num_failed(other.answer) < num_failed:
            self._count(endpoint_counters.to_counted(endpoint, stable), other)
            self._counting.count(counted, seconds=0, status=_FAILED)
            return other.answer
        self._count(counted, given, other=other, tolerance=guards.tolerance)
        return given.answer

    def _answer_beside(
        self, ask: Ask, request: PredictionRequest, endpoint: Endpoint, rollout: Rollout, stable: ServedModel
    ) -> PredictionAnswer:
        """The former version's answer; the new one is asked after it, for the counts."""
        given = self._ask(ask, request, endpoint, stable)
        counted = endpoint_counters.to_counted(endpoint, rollout.model, is_shadow=True)
        limited = self._within(request, max(given.seconds * _SHADOW_TIMES, _SHADOW_SECONDS))
        other = self._try_safely(ask, limited, endpoint, rollout.model)
        if other is None or comparing.num_failed(other.answer) > comparing.num_failed(given.answer):
            self._counting.count(counted, seconds=0, status=_FAILED)
        else:
            self._count(counted, other, other=given, tolerance=rollout.plan.guards.tolerance)
        return given.answer

    def _ask(
        self,
        ask: Ask,
        request: PredictionRequest,
        endpoint: Endpoint,
        version: ServedModel,
        *,
        in_rollout: bool = True,
    ) -> _Attempt:
        """Asks one version, and counts whatever comes of it."""
        counted = endpoint_counters.to_counted(endpoint, version, in_rollout=in_rollout)
        status = _FAILED
        try:
            attempt = self._try(ask, request, endpoint, version)
            status = attempt.answer.status
        except AimassError as error:
            status = STATUSES[error.code]
            raise
        finally:
            if status >= 400:
                self._counting.count(counted, seconds=0, status=status)
        self._count(counted, attempt)
        return attempt

    def _try_safely(
        self, ask: Ask, request: PredictionRequest, endpoint: Endpoint, version: ServedModel
    ) -> _Attempt | None:
        """None where the version does not answer, for whatever reason."""
        try:
            return self._try(ask, request, endpoint, version)
        except _FAULTS as error:
            _log.warning("%s does not answer: %s", version.ref, error, extra={"endpoint_id": endpoint.id})
            return None

    def _try(self, ask: Ask, request: PredictionRequest, endpoint: Endpoint, version: ServedModel) -> _Attempt:
        served = self._endpoints.serve_version(endpoint, version)
        started = self._monotonic()
        answer = ask(request, served)
        seconds = self._monotonic() - started
        return _Attempt(replace(answer, headers={**answer.headers, MODEL_HEADER: version.ref}), seconds)

    def _count(
        self, counted: CountedVersion, attempt: _Attempt, *, other: _Attempt | None = None, tolerance: float = 0.0
    ) -> None:
        compared, disagreed = (0, 0)
        if other is not None:
            compared, disagreed = comparing.compare(attempt.answer, other.answer, tolerance=tolerance)
        num_unanswered = comparing.num_unanswered(attempt.answer)
        self._counting.count(
            counted,
            seconds=attempt.seconds,
            rows=attempt.answer.num_rows - num_unanswered,
            row_errors=num_unanswered,
            compared=compared,
            disagreed=disagreed,
        )

    def _within(self, request: PredictionRequest, seconds: float) -> PredictionRequest:
        until, seconds_left = self._monotonic() + seconds, request.seconds_left
        return replace(request, seconds_left=lambda: min(seconds_left(), until - self._monotonic()))

    def _is_drawn(self, endpoint: Endpoint, rollout: Rollout, request: PredictionRequest, caller: Principal) -> bool:
        """Whether the new version gets the request. Of a key, always the same: more keys with each step."""
        key = _sticky_key(endpoint.settings.sticky_by, request, caller)
        share = self._draw() if key is None else _position(rollout.id, key)
        return share * 100 < rollout.percent


def _sticky_key(sticky_by: str | None, request: PredictionRequest, caller: Principal) -> str | None:
    if sticky_by == _BY_KEY:
        return caller.actor
    if sticky_by is None:
        return None
    return ",".join(request.headers.get(sticky_by.partition(":")[2], ())) or None


def _position(rollout_id: str, key: str) -> float:
    digest = hashlib.sha256(f"{rollout_id}\0{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
