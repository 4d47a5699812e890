"""What a report says, before it has a form."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aimass_core.domain.workspace_reports import ReportFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The values of one line, or one part of the bars; None: not known."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars that stand on each other, or lines, over moments; from one end of time to the other, if any are named."""

    title: str
    moments: Sequence[datetime]
    series: Sequence[Series]
    is_bars: bool = False
    ends: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are texts already; `numbers` says which columns stand to the right."""

    names: Sequence[str]
    numbers: Sequence[bool]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a report. Without chart and table its notes say why."""

    title: str
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Content:
    """A whole report."""

    title: str
    workspace: str
    since: datetime
    until: datetime
    figures: list[ReportFigure] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    @property
    def span(self) -> str:
        """For people."""
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
