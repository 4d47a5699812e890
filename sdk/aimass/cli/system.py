"""`aimass system`: how the platform does, and what it could not process."""

from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass.cli.quantities import format_seconds
from aimass_core.domain.system import DeadLetterQueue, Health, SystemStatus

app = typer.Typer()

Queue = Annotated[DeadLetterQueue, typer.Argument(help="Whose events could not be processed.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Of this message only; may come several times.")]
_COLOURS = {Health.OK: "green", Health.STARTING: "cyan", Health.DEGRADED: "yellow", Health.DOWN: "red"}


@app.command("status")
def show_status(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Centres, functions, queues, dead letters, compute and alarms."""
    status = client_of(context).system.status()
    if output is not OutputFormat.TABLE:
        show_one(status, status.model_dump(mode="json"), output=output)
        return
    _say_health(status)
    columns = (
        Column("FUNCTION", lambda f: f.name),
        Column("CENTRE", lambda f: f.centre),
        Column("INVOCATIONS", lambda f: f.num_invocations, is_number=True),
        Column("ERRORS", lambda f: f.num_errors, is_number=True),
        Column("THROTTLED", lambda f: f.num_throttles, is_number=True),
        Column("P95 MS", lambda f: f.p95_ms, is_number=True),
    )
    show_list(status.functions, columns, output=output)
    queues = (
        Column("QUEUE", lambda q: q.name),
        Column("WAITING", lambda q: q.num_waiting, is_number=True),
        Column("IN FLIGHT", lambda q: q.num_in_flight, is_number=True),
        Column("OLDEST", lambda q: None if q.oldest_seconds is None else format_seconds(q.oldest_seconds)),
    )
    letters = [queue.model_copy(update={"name": f"{queue.name}, dead letters"}) for queue in status.dead_letters]
    show_list([*status.queues, *letters], queues, output=output)


def _say_health(status: SystemStatus) -> None:
    where = status.endpoint_url or "AWS"
    say(f"AI Mass {plain(status.version)} on {plain(where)}")
    for centre in status.centres:
        say(f"[{_COLOURS[centre.health]}]{centre.health}[/] {centre.name}")
        for reason in centre.reasons:
            say(f"   {plain(reason)}")
    for alarm in status.alarms:
        say(f"[red]ALARM[/] {plain(alarm.name)}: {plain(alarm.description)}")
    last = status.reconciler
    if last is not None:
        say(f"Reconciled at {last.at.isoformat(timespec='seconds')} in {last.seconds:.1f} s, {last.num_faults} faults.")
    jobs = ", ".join(f"{count} {name}" for name, count in status.compute.num_jobs.items()) or "none"
    say(
        f"Jobs of this workspace that have not ended: {jobs}. Batch's queue: {status.compute.queue_state or 'unknown'}."
    )


@app.command("dead-letters")
def list_dead_letters(context: typer.Context, queue: Queue, output: Output = OutputFormat.TABLE) -> None:
    """Events of this workspace that could not be processed."""
    found = client_of(context).system.dead_letters(queue)
    columns = (
        Column("ID", lambda item: item.id),
        Column("SINCE", lambda item: item.sent_at),
        Column("REASON", lambda item: item.reason, is_long=True),
        Column("BODY", lambda item: item.body[:200], is_long=True),
    )
    show_list(found.items, columns, output=output, empty="There is nothing of this workspace.")
    say(f"{found.num_messages} in the queue altogether. Again: aimass system redrive {queue}")


@app.command("redrive")
def redrive(context: typer.Context, queue: Queue, ids: Ids = None) -> None:
    """Send dead letters again to whoever could not process them."""
    done = client_of(context).system.redrive(queue, ids)
    say(f"{done.num_done} sent again, {done.num_messages} left in the queue.")


@app.command("purge")
def purge(
    context: typer.Context,
    queue: Queue,
    ids: Ids = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw dead letters away for good."""
    if not yes:
        typer.confirm(f"Throw the dead letters of {queue} away that this workspace sees?", abort=True)
    done = client_of(context).system.purge(queue, ids)
    say(f"{done.num_done} thrown away, {done.num_messages} left in the queue.")
