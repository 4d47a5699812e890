"""Captured rows as they are looked at: the newest of a stretch of time, of the version that serves now."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aimass_core.domain.captures import SERVED_AT, SERVED_BY
from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.signatures import Signature
from aimass_core.errors import ConflictError
from aimass_core.ports import Ports
from aimass_core.services import captures, models, records
from aimass_core.services.watching.spans import Span

MAX_ROWS = 20_000
_MAX_BYTES = 32 * 1024**2

CapturedRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """`is_cut`: there were more rows than are looked at, and these are the newest."""

    endpoint: Endpoint
    model: ServedModel
    version: ModelVersion
    signature: Signature
    span: Span
    rows: Sequence[CapturedRow]
    is_cut: bool

    @property
    def notes(self) -> list[str]:
        """What is to be known of the rows."""
        if self.is_cut:
            return [f"There is more: only the newest {len(self.rows):,} rows are looked at."]
        if not self.rows:
            percent = self.endpoint.settings.capture.percent
            return [
                f"Nothing was captured in this time ({percent:g} % of the requests are). Switch it on: "
                f"aimass endpoints set {self.endpoint.name} capture.percent=10"
            ]
        return []


def load(ports: Ports, endpoint: Endpoint, span: Span) -> Captured:
    """Raises ConflictError where nothing serves."""
    model = endpoint.serving
    if model is None:
        raise ConflictError(f"The endpoint {endpoint.name!r} serves nothing yet: it is {endpoint.status}.")
    version = records.get(ports, ModelVersion, endpoint.workspace_id, model.model_id, model.number)
    rows: list[CapturedRow] = []
    num_bytes = 0
    is_cut = False
    for info in captures.list_files(ports, endpoint, since=span.since, until=span.until):
        num_bytes += info.num_bytes
        if len(rows) >= MAX_ROWS or num_bytes > _MAX_BYTES:
            is_cut = True
            break
        rows += _read(ports.lake.get(info.key), model.ref, span)
    return Captured(
        endpoint=endpoint,
        model=model,
        version=version,
        signature=models.load_signature(ports, version),
        span=span,
        rows=rows[:MAX_ROWS],
        is_cut=is_cut or len(rows) > MAX_ROWS,
    )


def _read(body: bytes, model: str, span: Span) -> list[CapturedRow]:
    """Newest first."""
    lines: list[CapturedRow] = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    return [
        line
        for line in reversed(lines)
        if line[SERVED_BY] == model and span.since <= datetime.fromisoformat(line[SERVED_AT]) < span.until
    ]
