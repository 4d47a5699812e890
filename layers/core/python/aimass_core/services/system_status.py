"""How the platform does: its functions, queues and compute, and what that means for its four centres."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aimass_core import __version__
from aimass_core.domain.common import Principal
from aimass_core.domain.system import (
    AlarmStatus,
    CentreName,
    CentreStatus,
    ComputeStatus,
    DeadLetterQueue,
    FunctionStatus,
    Health,
    QueueStatus,
    ReconcilerPass,
    SystemStatus,
)
from aimass_core.ports import FunctionFigures, Ports, QueueFigures
from aimass_core.services import jobs, reconciler_passes, workspaces

SILENT_AFTER = timedelta(minutes=5)
_SLOW_QUEUE = timedelta(minutes=15)
_DOWN_SHARE = 0.5
_INGEST = "ingest"
_CENTRE_OF_FUNCTION = {
    "ingest": CentreName.COLLECTION,
    "collectors": CentreName.COLLECTION,
    "collectors_tick": CentreName.COLLECTION,
    "previews": CentreName.COLLECTION,
    "dispatch": CentreName.TRAINING,
    "job_events": CentreName.TRAINING,
    "predictions": CentreName.INFERENCE,
}
_CENTRE_OF_LETTERS = {
    DeadLetterQueue.INGEST: CentreName.COLLECTION,
    DeadLetterQueue.DISPATCH: CentreName.TRAINING,
    DeadLetterQueue.JOB_EVENTS: CentreName.TRAINING,
    DeadLetterQueue.NOTIFICATIONS: CentreName.MANAGEMENT,
}


def get(ports: Ports, principal: Principal) -> SystemStatus:
    """As it is now."""
    now = ports.clock()
    figures = ports.watch.measure_functions()
    functions = [_to_function(name, figures.get(name)) for name in ports.watch.list_functions()]
    queue = _to_queue(_INGEST, ports.watch.measure_queue())
    letters = {name: _to_queue(name, ports.dead_letters.measure(name)) for name in DeadLetterQueue}
    last_pass = reconciler_passes.load(ports)
    compute = _compute(ports, principal)
    reasons: list[tuple[CentreName, Health, str]] = [
        *_of_functions(functions),
        *_of_queues(queue, letters),
        *_of_compute(compute),
        *_of_reconciler(ports, last_pass, now),
    ]
    return SystemStatus(
        at=now,
        version=__version__,
        endpoint_url=ports.landing.endpoint_url,
        centres=[_to_centre(name, reasons) for name in CentreName],
        functions=functions,
        queues=[queue],
        dead_letters=list(letters.values()),
        reconciler=last_pass,
        compute=compute,
        alarms=[
            AlarmStatus(name=alarm.name, description=alarm.description, since=alarm.since)
            for alarm in ports.watch.list_alarms()
        ],
    )


def _to_function(name: str, figures: FunctionFigures | None) -> FunctionStatus:
    counted = figures or FunctionFigures()
    return FunctionStatus(
        name=name,
        centre=_CENTRE_OF_FUNCTION.get(name, CentreName.MANAGEMENT),
        num_invocations=counted.num_invocations,
        num_errors=counted.num_errors,
        num_throttles=counted.num_throttles,
        p95_ms=counted.p95_ms,
    )


def _to_queue(name: str, figures: QueueFigures) -> QueueStatus:
    return QueueStatus(
        name=name,
        num_waiting=figures.num_waiting,
        num_in_flight=figures.num_in_flight,
        oldest_seconds=figures.oldest_seconds,
    )


def _compute(ports: Ports, principal: Principal) -> ComputeStatus:
    active = Counter(str(job.status) for job in jobs.list_active(ports, principal.workspace_id))
    state = ports.watch.read_job_queue()
    if state is None:
        return ComputeStatus(num_jobs=dict(active))
    return ComputeStatus(
        queue_state=state.state, queue_status=state.status, queue_reason=state.reason, num_jobs=dict(active)
    )


def _of_functions(functions: Iterable[FunctionStatus]) -> Iterable[tuple[CentreName, Health, str]]:
    for function in functions:
        errors, invocations = function.num_errors or 0, function.num_invocations or 0
        if errors:
            is_down = errors >= max(1, invocations) * _DOWN_SHARE
            words = f"The function {function.name} failed {errors} of {invocations} times in the last hour."
            yield function.centre, Health.DOWN if is_down else Health.DEGRADED, words
        if function.num_throttles:
            yield function.centre, Health.DEGRADED, f"The function {function.name} is throttled."


def _of_queues(
    queue: QueueStatus, letters: Mapping[DeadLetterQueue, QueueStatus]
) -> Iterable[tuple[CentreName, Health, str]]:
    if queue.oldest_seconds is not None and queue.oldest_seconds > _SLOW_QUEUE.total_seconds():
        minutes = int(queue.oldest_seconds // 60)
        yield CentreName.COLLECTION, Health.DEGRADED, f"A file has waited for {minutes} minutes to be taken in."
    for name, found in letters.items():
        if found.num_waiting:
            words = f"{found.num_waiting} events could not be processed: aimass system dead-letters {name}"
            yield _CENTRE_OF_LETTERS[name], Health.DEGRADED, words


def _of_compute(compute: ComputeStatus) -> Iterable[tuple[CentreName, Health, str]]:
    if compute.queue_state not in (None, "ENABLED") or compute.queue_status not in (None, "VALID", "UPDATING"):
        reason = f": {compute.queue_reason}" if compute.queue_reason else ""
        yield (
            CentreName.TRAINING,
            Health.DOWN,
            (f"Batch's queue is {compute.queue_state} and {compute.queue_status}{reason}. No job starts."),
        )


def _of_reconciler(
    ports: Ports, last_pass: ReconcilerPass | None, now: datetime
) -> Iterable[tuple[CentreName, Health, str]]:
    if last_pass is not None:
        if now - last_pass.at > SILENT_AFTER:
            words = f"The reconciler last ran at {last_pass.at.isoformat(timespec='seconds')}; it should each minute."
            yield CentreName.MANAGEMENT, Health.DEGRADED, words
        return
    installed_at = workspaces.installed_at(ports)
    if installed_at is not None and now - installed_at <= SILENT_AFTER:
        yield CentreName.MANAGEMENT, Health.STARTING, "The reconciler runs for the first time within a minute or two."
    else:
        yield CentreName.MANAGEMENT, Health.DEGRADED, "The reconciler never ran; it should each minute."


def _to_centre(name: CentreName, reasons: Sequence[tuple[CentreName, Health, str]]) -> CentreStatus:
    mine = [(health, words) for centre, health, words in reasons if centre is name]
    order = list(Health)
    worst = max((health for health, _ in mine), key=order.index, default=Health.OK)
    return CentreStatus(name=name, health=worst, reasons=[words for _, words in mine])
