"""What could not be processed: looking at it, sending it again, throwing it away.

A message belongs to the workspace that it names. Each workspace's admins see their own; what belongs to none, the
admins of the first workspace see, who look after the installation. They may also send all of them again at once, which
shows nothing of them.
"""

import json
from collections.abc import Callable

from aimass_core.domain.common import Principal
from aimass_core.domain.redaction import redact, redact_value
from aimass_core.domain.system import DeadLetter, DeadLetterQueue, DeadLetters, DeadLettersDone, DeadLetterSelection
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import NotFoundError
from aimass_core.ports import Letter, Ports
from aimass_core.services import dead_letter_owners, records, workspaces

MAX_LETTERS = 100
_MAX_DONE = 10_000
_MAX_CHARACTERS = 4_000
# Of EventBridge, of Lambda, and of a stream's mapping.
_REASONS = ("ERROR_MESSAGE", "ErrorMessage", "ERROR_CODE", "ErrorCode")

Act = Callable[[Letter], None]


def list_all(ports: Ports, principal: Principal, queue: DeadLetterQueue) -> DeadLetters:
    """Those that the caller may see, of the first hundred in the queue."""
    letters = ports.dead_letters.take(queue, limit=MAX_LETTERS)
    try:
        may_see = _sight(ports, principal)
        items = [_to_shown(letter, is_own=owner is not None) for letter in letters for owner in may_see(letter)]
    finally:
        ports.dead_letters.give_back(queue, letters)
    items.sort(key=lambda item: (item.sent_at, item.id))
    num_messages = ports.dead_letters.measure(queue).num_waiting
    return DeadLetters(queue=queue, num_messages=max(num_messages, len(letters)), items=items)


def redrive(
    ports: Ports, principal: Principal, queue: DeadLetterQueue, selection: DeadLetterSelection
) -> DeadLettersDone:
    """Sends messages again to whom they were sent first, then deletes them here: what is interrupted comes twice, as
    everybody who takes them can bear. Raises NotFoundError where none of those that are named is there."""

    def send(letter: Letter) -> None:
        ports.dead_letters.send_again(queue, letter)
        ports.dead_letters.delete(queue, letter)

    everything = selection.ids is None and workspaces.is_first(ports, principal.workspace_id)
    return _do(ports, principal, queue, selection, send, action="redrive", everything=everything)


def purge(
    ports: Ports, principal: Principal, queue: DeadLetterQueue, selection: DeadLetterSelection
) -> DeadLettersDone:
    """Throws messages away for good. Raises NotFoundError where none of those that are named is there."""
    return _do(
        ports, principal, queue, selection, lambda letter: ports.dead_letters.delete(queue, letter), action="purge"
    )


def _do(
    ports: Ports,
    principal: Principal,
    queue: DeadLetterQueue,
    selection: DeadLetterSelection,
    act: Act,
    *,
    action: str,
    everything: bool = False,
) -> DeadLettersDone:
    workspace = records.get(ports, Workspace, principal.workspace_id, principal.workspace_id)
    ports.registry.write(
        records.audit(ports, principal, f"dead_letters.{action}", workspace, queue=queue, ids=selection.ids)
    )
    may_see = _sight(ports, principal)
    held: list[Letter] = []
    num_done = 0
    try:
        while num_done + len(held) < _MAX_DONE:
            letters = ports.dead_letters.take(queue, limit=MAX_LETTERS)
            if not letters:
                break
            held += letters
            for letter in letters:
                is_named = selection.ids is None or letter.id in selection.ids
                if is_named and (everything or may_see(letter)):
                    act(letter)
                    held.remove(letter)
                    num_done += 1
    finally:
        ports.dead_letters.give_back(queue, held)
    if selection.ids is not None and not num_done:
        raise NotFoundError(
            f"None of these messages is among those of the queue {str(queue)!r} that this workspace sees. List them "
            "again: somebody may have been faster, or may look at them right now."
        )
    return DeadLettersDone(queue=queue, num_done=num_done, num_messages=ports.dead_letters.measure(queue).num_waiting)


def _sight(ports: Ports, principal: Principal) -> Callable[[Letter], list[str | None]]:
    """For a letter: its one owner, in a list, where the caller may see it, else nothing."""
    visible: set[str | None] = {principal.workspace_id}
    if workspaces.is_first(ports, principal.workspace_id):
        visible.add(None)

    def may_see(letter: Letter) -> list[str | None]:
        owners = dead_letter_owners.find(ports, letter.body)
        return list(owners) if len(owners) == 1 and owners <= visible else []

    return may_see


def _to_shown(letter: Letter, *, is_own: bool) -> DeadLetter:
    reasons = [letter.attributes[name] for name in _REASONS if letter.attributes.get(name)]
    body = _redact_body(letter.body)
    return DeadLetter(
        id=letter.id,
        sent_at=letter.sent_at,
        is_own=is_own,
        reason=redact(reasons[0])[:_MAX_CHARACTERS] if reasons else None,
        body=body if len(body) <= _MAX_CHARACTERS else f"{body[:_MAX_CHARACTERS]}... ({len(body):,} characters)",
    )


def _redact_body(body: str) -> str:
    try:
        return json.dumps(redact_value(json.loads(body)), ensure_ascii=False)
    except ValueError:
        return redact(body)
