"""Rollouts: a verified version takes over by steps, is promoted, or is rolled back as soon as a guard says so.

Each flush of a function that serves is an event (the row of the rollout's counts), by which `follow` judges; the
reconciler follows rollouts without traffic, and where events were lost.
"""

import logging

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_counters import RolloutCounts
from aimass_core.domain.endpoints import Endpoint, EndpointStatus, Rollout, ServedModel
from aimass_core.domain.rollouts import Guards, RolloutPlan, Strategy
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError
from aimass_core.ports import Ports
from aimass_core.services import endpoint_counters, endpoint_records, hosting, platform, records

_ALL = 100.0
_P95 = 0.95
_log = logging.getLogger(__name__)


def check_update(endpoint: Endpoint, candidate: ServedModel, plan: RolloutPlan | None) -> None:
    """Raises ConflictError where another version cannot be deployed now, or not so."""
    if endpoint.rollout is not None:
        raise ConflictError(
            f"{endpoint.name!r} is being rolled out: {endpoint.rollout.model.ref} gets {endpoint.rollout.percent:g} % "
            "of the requests. Promote it or roll it back first."
        )
    if plan is None:
        return
    if endpoint.serving is None:
        raise ConflictError(
            f"{endpoint.name!r} serves nothing yet, so nothing can be taken over in steps. Deploy without a rollout."
        )
    if endpoint.serving == candidate:
        raise ConflictError(f"{endpoint.name!r} serves {candidate.ref} already. Name another version.")


def accept(ports: Ports, endpoint: Endpoint) -> Endpoint:
    """Lets a candidate that has given its golden answer serve, or begin to by its plan."""
    principal = platform.principal("dispatch", endpoint.workspace_id)
    model, plan = endpoint.candidate, endpoint.plan
    if plan is None or model is None or endpoint.serving is None:
        return _serve(ports, principal, endpoint, model, action="deployed")
    now = ports.clock()
    rollout = Rollout(id=ports.new_id("ro"), model=model, plan=plan, percent=plan.percent, started_at=now, step_at=now)
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="rollout_started",
        model=model,
        status=EndpointStatus.ROLLING_OUT,
        status_reason=_progress(rollout),
        candidate=None,
        plan=None,
        rollout=rollout,
    )


def follow(ports: Ports, workspace_id: str, endpoint_id: str) -> Endpoint:
    """Judges a rollout by what its versions have done, and takes the next step where it is due. Idempotent."""
    endpoint = records.get(ports, Endpoint, workspace_id, endpoint_id)
    rollout = endpoint.rollout
    if rollout is None:
        return endpoint
    counts = endpoint_counters.of_rollout(ports, workspace_id, endpoint_id, rollout.id)
    fault = judge(rollout.plan.guards, counts)
    is_due = rollout.is_due(rollout.plan, ports.clock())
    try:
        if fault is not None:
            principal = platform.principal("rollouts", workspace_id)
            return _roll_back(ports, principal, endpoint, rollout=rollout, fault=fault, counts=counts)
        if is_due and _num_judged(counts) >= rollout.plan.guards.min_requests:
            return _step(ports, endpoint, rollout, counts)
    except StaleRevisionError:
        _log.info("endpoint changed while its rollout was judged", extra={"endpoint_id": endpoint_id})
    return endpoint


def shift(ports: Ports, principal: Principal, endpoint: Endpoint, percent: float) -> Endpoint:
    """Gives the version of a rollout another share; its guards and steps go on from there. Raises ConflictError."""
    rollout = endpoint.rollout
    if rollout is None:
        raise ConflictError(
            f"{endpoint.name!r} is not being rolled out: there is no share to shift. Deploy a version with a rollout."
        )
    shifted = rollout.model_copy(update={"percent": percent, "step_at": ports.clock()})
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="rollout_shifted",
        model=rollout.model,
        status_reason=_progress(shifted),
        rollout=shifted,
    )


def promote(ports: Ports, principal: Principal, endpoint: Endpoint) -> Endpoint:
    """Lets the version of a rollout serve everything, whatever its guards would say. Raises ConflictError."""
    rollout = endpoint.rollout
    if rollout is None:
        raise ConflictError(f"{endpoint.name!r} is not being rolled out: there is nothing to promote.")
    counts = endpoint_counters.of_rollout(ports, endpoint.workspace_id, endpoint.id, rollout.id)
    return _serve(ports, principal, endpoint, rollout.model, action="promoted", counts=counts)


def roll_back(ports: Ports, principal: Principal, endpoint: Endpoint) -> Endpoint:
    """Ends a rollout or an update, else brings back what served before. At once: it has proved itself before.

    Raises ConflictError where there is nothing to roll back to.
    """
    if endpoint.rollout is not None:
        counts = endpoint_counters.of_rollout(ports, endpoint.workspace_id, endpoint.id, endpoint.rollout.id)
        fault = "It was asked for."
        return _roll_back(ports, principal, endpoint, rollout=endpoint.rollout, fault=fault, counts=counts)
    if endpoint.candidate is not None and endpoint.serving is not None:
        model = endpoint.candidate
        reason = f"The update to {model.ref} was taken back; {endpoint.serving.ref} still serves."
        return endpoint_records.save(
            ports,
            endpoint,
            principal=principal,
            action="rolled_back",
            reason=reason,
            model=model,
            status=EndpointStatus.READY,
            status_reason=reason,
            candidate=None,
            plan=None,
        )
    previous = endpoint.previous
    if previous is None or endpoint.serving is None:
        raise ConflictError(f"Nothing served at {endpoint.name!r} before: there is nothing to roll back to.")
    if hosting.is_released(previous):
        return _place_again(ports, principal, endpoint, previous)
    try:
        return _serve(
            ports,
            principal,
            endpoint,
            previous,
            action="rolled_back",
            reason=f"Rolled back from {endpoint.serving.ref} to {previous.ref}.",
        )
    except NotFoundError as error:
        raise ConflictError(
            f"{previous.ref}, which served before, was deleted: there is nothing to roll back to. Deploy another "
            "version."
        ) from error


def _place_again(ports: Ports, principal: Principal, endpoint: Endpoint, previous: ServedModel) -> Endpoint:
    """Its machines are gone: it serves once others are there, and what serves goes on until then."""
    candidate = hosting.place(ports, endpoint.workspace_id, endpoint.id, previous, previous.engine)
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="updating",
        model=candidate,
        status=EndpointStatus.UPDATING,
        status_reason=f"Rolling back to {previous.ref}: its containers are starting.",
        candidate=candidate,
        plan=None,
    )


def judge(guards: Guards, counts: RolloutCounts) -> str | None:
    """Which guard the new version breaks, with the figures; None while it keeps to all of them, or it is too early.

    Errors count as soon as so many have failed that the limit would be broken even if all others until `min_requests`
    were answered.
    """
    candidate, num = counts.candidate, _num_judged(counts)
    at_least = max(num, guards.min_requests)
    if guards.max_error_rate is not None and candidate.errors > guards.max_error_rate * at_least:
        return (
            f"{candidate.errors} of {num} requests failed on it, and at most {guards.max_error_rate:.2%} may. They "
            "were answered by the former version."
        )
    if num < guards.min_requests:
        return None
    p95 = candidate.percentile_ms(_P95)
    if guards.max_p95_ms is not None and p95 is not None and p95 > guards.max_p95_ms:
        return f"95 % of its answers take up to {p95:.3g} ms, and at most {guards.max_p95_ms:g} ms is allowed."
    share = candidate.disagreement
    if guards.max_disagreement is not None and share is not None and share > guards.max_disagreement:
        return (
            f"It disagrees with the former version on {candidate.disagreed} of {candidate.compared} rows "
            f"({share:.1%}), and at most {guards.max_disagreement:.1%} is allowed."
        )
    return None


def _num_judged(counts: RolloutCounts) -> int:
    return counts.candidate.requests - counts.candidate.refused


def _step(ports: Ports, endpoint: Endpoint, rollout: Rollout, counts: RolloutCounts) -> Endpoint:
    principal = platform.principal("rollouts", endpoint.workspace_id)
    percent = rollout.plan.next_percent(rollout.percent)
    if percent >= _ALL:
        return _serve(ports, principal, endpoint, rollout.model, action="promoted", counts=counts)
    stepped = rollout.model_copy(update={"percent": percent, "step_at": ports.clock()})
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="rollout_step",
        model=rollout.model,
        counts=counts,
        status_reason=_progress(stepped),
        rollout=stepped,
    )


def _serve(
    ports: Ports,
    principal: Principal,
    endpoint: Endpoint,
    model: ServedModel | None,
    *,
    action: str,
    reason: str | None = None,
    counts: RolloutCounts | None = None,
) -> Endpoint:
    """From now on `model` answers everything; what did before is kept in mind."""
    is_other = endpoint.serving is not None and endpoint.serving != model
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action=action,
        reason=reason,
        counts=counts,
        status=EndpointStatus.READY,
        status_reason=reason,
        serving=model,
        previous=endpoint.serving if is_other else endpoint.previous,
        candidate=None,
        plan=None,
        rollout=None,
        weights=None,
    )


def _roll_back(
    ports: Ports, principal: Principal, endpoint: Endpoint, *, rollout: Rollout, fault: str, counts: RolloutCounts
) -> Endpoint:
    serving = endpoint.serving.ref if endpoint.serving else "nothing"
    reason = f"Rolled back from {rollout.model.ref} at {rollout.percent:g} % to {serving}. {fault}"
    return endpoint_records.save(
        ports,
        endpoint,
        principal=principal,
        action="rolled_back",
        reason=reason,
        model=rollout.model,
        counts=counts,
        status=EndpointStatus.READY,
        status_reason=reason,
        rollout=None,
    )


def _progress(rollout: Rollout) -> str:
    if rollout.plan.strategy is Strategy.SHADOW:
        return f"{rollout.model.ref} is asked too for {rollout.percent:g} % of the requests, and answers nobody."
    return f"{rollout.model.ref} answers {rollout.percent:g} % of the requests."
