"""Tells the first workspace, which looks after the installation, that events could not be processed."""

from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.system import DeadLetterQueue
from aimass_core.ports import Ports
from aimass_core.services import notifications, reconciler_passes, workspaces


def tell(ports: Ports) -> dict[str, int]:
    """How many letters each queue has; where they are more than in the pass before, that is told, at most once an hour
    for each queue. For the reconciler, each minute."""
    measured = {name: ports.dead_letters.measure(name) for name in DeadLetterQueue}
    # NOTE: who looks at letters hides them for half a minute; they are no fewer for that.
    found = {name: figures.num_waiting + figures.num_in_flight for name, figures in measured.items()}
    last_pass, first_id = reconciler_passes.load(ports), workspaces.find_first_id(ports)
    before = last_pass.dead_letters if last_pass else {}
    for name, number in found.items():
        if first_id is not None and number > before.get(name, 0):
            _tell(ports, first_id, name, number)
    return {str(name): number for name, number in found.items() if number}


def _tell(ports: Ports, workspace_id: str, name: DeadLetterQueue, number: int) -> None:
    notifications.tell_once(
        ports,
        workspace_id,
        NotificationType.DEAD_LETTERS,
        Subject(resource="system", id=name, name=name),
        told=f"dead letters {name} {ports.clock():%Y-%m-%dT%H}",
        title=f"{number} event{'' if number == 1 else 's'} of {name} could not be processed",
        text=f"Look at them (aimass system dead-letters {name}), mend the cause, and send them again (aimass system "
        f"redrive {name}).",
        data={"queue": name.value, "num_messages": number},
    )
