"""Who may call an operation: by role, by a grant of the one thing that it names, as a guest of another workspace."""

from collections.abc import Callable

from aimass_core.domain.common import Principal
from aimass_core.domain.grants import GrantKind
from aimass_core.errors import PermissionDeniedError
from aimass_core.ports import Ports
from aimass_core.services import grants
from functions.api.routing import Operation

# What works on the one thing that its path names and on nothing else; a new operation is closed until it is entered.
BY_GRANT = frozenset(
    {
        *("update_dataset", "delete_dataset", "delete_dataset_version", "check_quality", "replay_quarantine"),
        *("discard_quarantine", "list_uploads", "create_upload", "get_upload", "complete_upload", "delete_upload"),
        *("update_model", "delete_model", "delete_model_version"),
        *("update_endpoint", "delete_endpoint", "promote_endpoint", "roll_back_endpoint", "revert_endpoint"),
        *("set_endpoint_truth", "set_endpoint_alarms"),
    }
)
BY_GUESTS = frozenset(
    {
        *("get_dataset", "list_dataset_versions", "get_dataset_version", "get_dataset_rows", "export_dataset_rows"),
        *("get_quality_trend", "get_quality_report", "get_quality_page"),
        *("get_model", "list_model_versions", "get_model_version"),
        *("get_endpoint", "get_endpoint_metrics", "get_endpoint_drift", "get_endpoint_page"),
    }
)
_KINDS = {f"{kind}s": kind for kind in GrantKind}


def kind_of(operation: Operation) -> GrantKind | None:
    """The kind of thing that an operation works on, of those that can be granted."""
    parts = operation.path.split("/")
    return _KINDS.get(parts[2]) if len(parts) > 3 and parts[3].startswith("<") else None


def takes_grant(operation: Operation) -> bool:
    """Whether a grant of `edit` is enough, beside the role."""
    return kind_of(operation) is not None and operation.name in BY_GRANT


def takes_guests(operation: Operation) -> bool:
    """Whether those may call it who belong to another workspace that was granted `read`."""
    return kind_of(operation) is not None and operation.name in BY_GUESTS


def require(operation: Operation, caller: Principal, *, path: str, ports: Callable[[], Ports]) -> None:
    """Raises PermissionDeniedError where neither the caller's role nor a grant is enough."""
    if operation.role is None or caller.role.includes(operation.role):
        return
    kind = kind_of(operation)
    if (
        kind is not None
        and takes_grant(operation)
        and grants.allows(ports(), caller, kind, _ref_of(path), operation.role)
    ):
        return
    raise PermissionDeniedError(
        f"This needs the role {operation.role}; you have {caller.role}. Ask an admin of the workspace."
    )


def as_guest(operation: Operation, caller: Principal | None, *, path: str, ports: Ports) -> Principal | None:
    """Whom to be, to read what was not found in the caller's own workspace; None: it stays not found."""
    kind = kind_of(operation)
    if caller is None or kind is None or not takes_guests(operation):
        return None
    return grants.as_guest(ports, caller, kind, _ref_of(path))


def _ref_of(path: str) -> str:
    return path.split("/")[3]
