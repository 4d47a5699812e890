"""The audit trail: who did or read what, when, from where, and what it changed."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from aimass_core.domain.common import Contract, Origin, Resource

ACTION_PATTERN = r"^[a-z_]+(\.[a-z_]+)*(\.\*)?$"


class AuditKind(StrEnum):
    """What an entry is about."""

    CHANGE = "change"
    READ = "read"


class FieldChange(Contract):
    """What one field was and became. Secrets are left out, and what is long is cut."""

    before: Any = None
    after: Any = None


class AuditEntry(Resource):
    """One change, written in the same transaction as the change itself, or one read of data, written before it is
    answered. Never changed, never deleted by the API. `created_by` is who, `created_at` when.
    """

    resource: ClassVar[str] = "audit"
    prefix: ClassVar[str] = "aud"

    kind: AuditKind = AuditKind.CHANGE
    action: str = Field(examples=["dataset.update", "query.rows.read"])
    actor_name: str | None = Field(default=None, description="What `created_by` was called then.")
    target_resource: str
    target_id: str
    target_name: str | None = Field(default=None, description="What it was called then.")
    origin: Origin | None = Field(default=None, description="Null: the platform itself, or before this was recorded.")
    changes: dict[str, FieldChange] = Field(default={}, description="By the field's name.")
    details: dict[str, Any] = {}


Action = Annotated[str, StringConstraints(pattern=ACTION_PATTERN, max_length=100)]


class AuditFilter(Contract):
    """Which entries are wanted; what is null does not matter."""

    actor: str | None = None
    action: Action | None = None
    target: str | None = None
    kind: AuditKind | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class AuditFormat(StrEnum):
    """How entries are exported: one JSON object a line, or a table for spreadsheets."""

    JSONL = "jsonl"
    CSV = "csv"


class AuditExport(Contract):
    """Answer of GET /v1/audit/export."""

    url: str = Field(description="The file, newest entry first. Works for some minutes.")
    format: AuditFormat
    num_entries: int
    is_complete: bool = Field(description="False: there are more; export again with `until`.")
    until: AwareDatetime | None = Field(default=None, description="Where the next export goes on; null: at the end.")
    expires_at: AwareDatetime


class AuditFault(Contract):
    """A part of the trail that is not what was sealed."""

    number: int = Field(description="Of the seal, from 1.")
    reason: str
    first_id: str | None = None
    last_id: str | None = None


class AuditProof(Contract):
    """Answer of GET /v1/audit/proof: whether the trail is what it was when it was sealed.

    Entries are sealed some minutes after they were written; each seal signs its entries and the seal before.
    """

    is_intact: bool
    num_seals: int
    num_entries: int = Field(description="That are sealed.")
    num_verified: int = Field(description="Sealed entries that were compared: the newest, as far as time allows.")
    num_removed: int = Field(default=0, description="That were sealed, and have outlived the workspace's retention.")
    num_unsealed: int = Field(description="That are too new.")
    sealed_until: AwareDatetime | None = Field(default=None, description="When the newest sealed entry was written.")
    head: str | None = Field(
        default=None, description="The newest seal. Kept elsewhere, it also proves that no seal was taken off the end."
    )
    faults: list[AuditFault] = []
