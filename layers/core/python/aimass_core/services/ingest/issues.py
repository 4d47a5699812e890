"""What is wrong with a file or a row, and where such findings are collected."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from aimass_core.domain.datasets import FileIssue, QuarantinedRow

MAX_ISSUES_SHOWN = 20
_MAX_TEXT, _MAX_REASON, _MAX_VALUES = 2_000, 500, 100_000


class FileRejectedError(Exception):
    """A file cannot become part of a version. The reason names the place and the next step."""

    def __init__(self, reason: str, *, line: int | None = None, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column

    def to_issue(self, file: str) -> FileIssue:
        """As it is shown in the version's issues."""
        return FileIssue(file=file, line=self.line, column=self.column, reason=self.reason[:_MAX_REASON])


class Quarantine:
    """Rows that did not parse: all go to a file of JSON lines, the first are kept to be shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.num_taken = 0
        self.num_seen = 0
        self.first: list[FileIssue] = []
        self._stream = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()

    def add(
        self,
        *,
        file: str,
        line: int | None,
        column: str | None = None,
        reason: str,
        text: str | None = None,
        values: Mapping[str, str | None] | None = None,
    ) -> None:
        """Keeps one row apart. `values` are its cells by column, which a correction begins with."""
        num_characters = sum(len(value or "") for value in (values or {}).values())
        row = QuarantinedRow(
            file=file,
            line=line,
            column=column,
            reason=reason[:_MAX_REASON],
            text=None if text is None else text[:_MAX_TEXT],
            values=None if values is None or num_characters > _MAX_VALUES else dict(values),
        )
        self._stream.write(row.model_dump_json() + "\n")
        self.count += 1
        if len(self.first) < MAX_ISSUES_SHOWN:
            self.first.append(FileIssue.model_validate(row.model_dump()))

    def take(self, path: Path, *, num_seen: int = 0) -> None:
        """Adds rows that somebody else has kept apart, of so many: JSON Lines of QuarantinedRow."""
        self.num_seen = num_seen
        with path.open(encoding="utf-8") as stream:
            for line in stream:
                row = QuarantinedRow.model_validate_json(line)
                self.add(
                    file=row.file, line=row.line, column=row.column, reason=row.reason, text=row.text, values=row.values
                )
                self.num_taken += 1
