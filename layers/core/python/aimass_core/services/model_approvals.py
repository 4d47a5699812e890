"""Approval of model versions: somebody else looks at one before it is served, where the workspace asks for that."""

from aimass_core.domain.common import Principal, Role
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import Approval, ApprovalCreate, Decision, ModelVersion
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.settings.inference import InferenceSettings
from aimass_core.domain.triggers import Trigger
from aimass_core.errors import ConflictError, NotFoundError, PermissionDeniedError
from aimass_core.ports import Ports
from aimass_core.services import models, notifications, records

_TOLD = {
    Decision.APPROVED: ("model_version.approve", NotificationType.MODEL_APPROVED),
    Decision.REJECTED: ("model_version.reject", NotificationType.MODEL_REJECTED),
}


def decide(ports: Ports, principal: Principal, id_or_name: str, number: int, request: ApprovalCreate) -> ModelVersion:
    """Approves or rejects a version; a later decision takes the place of the one before.

    Raises PermissionDeniedError where a developer made it (submitted its job, or made the trigger that did).
    """
    version = models.get_version(ports, principal, id_or_name, number)
    if not principal.role.includes(Role.ADMIN) and principal.actor in _find_makers(ports, version):
        raise PermissionDeniedError(
            f"You made {_ref(version)}. Let another developer, or an admin, look at it and decide."
        )
    approval = Approval(
        decision=request.decision,
        note=request.note,
        by=principal.actor,
        by_name=principal.actor_name,
        at=ports.clock(),
    )
    action, kind = _TOLD[request.decision]
    told = notifications.new_write(
        ports,
        version.workspace_id,
        kind,
        Subject(resource="model", id=version.model_id, name=version.model_name),
        title=f"{_ref(version)} is {request.decision}",
        text=request.note,
        data={"model": _ref(version), "model_id": version.model_id, "number": number, "by": approval.by_name},
    )
    return records.save(
        ports,
        version,
        version.model_id,
        version.number,
        principal=principal,
        action=action,
        also=[told],
        approval=approval,
    )


def require(ports: Ports, version: ModelVersion) -> None:
    """Raises ConflictError where it may not be deployed."""
    if (missing := find_missing(ports, version)) is not None:
        raise ConflictError(missing)


def find_missing(ports: Ports, version: ModelVersion) -> str | None:
    """Why it may not be deployed, and what to do; None where it may."""
    if not ports.live_settings.get(InferenceSettings, version.workspace_id).requires_approval:
        return None
    if version.approval is None:
        found = "nobody has looked at it yet"
    elif version.approval.decision is Decision.REJECTED:
        note = f": {version.approval.note}" if version.approval.note else ""
        found = f"{version.approval.by_name or version.approval.by} rejected it{note}"
    else:
        return None
    return (
        f"{_ref(version)} is not approved ({found}), and this workspace deploys approved versions alone (the setting "
        "requires_approval of inference). Let an admin, or a developer who did not make it, approve it: aimass models "
        f"approve {_ref(version)}. Then deploy it."
    )


def _find_makers(ports: Ports, version: ModelVersion) -> set[str]:
    """Who submitted its job, and who made the trigger that did."""
    job = records.get(ports, Job, version.workspace_id, version.job_id)
    makers = {job.created_by}
    if job.trigger_id is not None:
        try:
            makers.add(records.get(ports, Trigger, version.workspace_id, job.trigger_id).created_by)
        except NotFoundError:
            return makers
    return makers


def _ref(version: ModelVersion) -> str:
    return f"{version.model_name}@{version.number}"
