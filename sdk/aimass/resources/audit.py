"""The audit trail."""

from datetime import datetime
from pathlib import Path

from aimass.binding import Api, Pages
from aimass_core.domain.audit import AuditEntry, AuditExport, AuditFormat, AuditKind, AuditProof


class AuditApi(Api):
    """`client.audit`."""

    def list(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        kind: AuditKind | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Pages[AuditEntry]:
        """Changes and reads of data in the workspace, newest first.

        Args:
            actor: Who: an id or a name.
            action: What, such as "dataset.update"; "dataset.*" for all of datasets.
            target: What it was done to: an id or a name.
            kind: "change" or "read"; default: both.
            since: Not before this moment.
            until: Not after this moment.
        """
        wanted = _to_query(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
        return self._list(AuditEntry, "/v1/audit", **wanted)

    def export(
        self,
        path: str | Path,
        *,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
        kind: AuditKind | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AuditExport:
        """Saves them into a file: CSV where the name ends so, else JSON Lines. The answer says whether all fit."""
        target_path = Path(path)
        wanted = _to_query(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
        export_format = AuditFormat.CSV if target_path.suffix == ".csv" else AuditFormat.JSONL
        made = self._get(AuditExport, "/v1/audit/export", format=export_format, **wanted)
        target_path.write_bytes(self._client.http.fetch(made.url, name="the export"))
        return made

    def verify(self) -> AuditProof:
        """Whether the trail is what it was when it was sealed."""
        return self._get(AuditProof, "/v1/audit/proof")


def _to_query(**wanted: object) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in wanted.items()
        if value is not None
    }
