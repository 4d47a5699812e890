"""Turns the files of a version into Parquet with one schema.

All files are read, the types are decided on all cells, bad rows are kept apart, and the rest is written.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.column_sketches import Sketches
from aimass_core.domain.datasets import BadRows, DataFile, Dataset, FileIssue, Manifest
from aimass_core.domain.schemas import Column, ColumnType, ImageShape, Profile, Schema
from aimass_core.ports import BlobStore
from aimass_core.services.ingest import base_files, column_types, merging, own_files, readers, series
from aimass_core.services.ingest.column_types import ARROW_TYPES
from aimass_core.services.ingest.columns import collected, for_each_column
from aimass_core.services.ingest.evolution import FROZEN, VALID_FROM, VALID_TO, Evolution, Merge
from aimass_core.services.ingest.issues import FileRejectedError, Quarantine
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.profiling import Profiler, RowObserver
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile
from aimass_core.services.ingest.writing import DatasetWriter, to_arrow_schema

_MAX_IN_MEMORY = 20_000

OnProgress = Callable[[str, int, int], None]


class VersionRejectedError(Exception):
    """No file of the version could be used. `issues` says why, file by file; `reason` where they do not."""

    def __init__(self, reason: str | None, issues: Sequence[FileIssue]) -> None:
        super().__init__(reason)
        self.reason, self.issues = reason, list(issues)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A landed file on the local disk, and what to call it. `is_own`: the caller wrote it by `own_files` just now, and
    keeps it; it is read once, where it lies."""

    path: Path
    display_name: str
    is_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a conversion leaves: the manifest's parts, the profile, the distributions of all rows and of those that are
    new, and the issues of files that were left out."""

    schema: Schema
    files: list[DataFile]
    profile: Profile
    sketches: Sketches
    fresh: Sketches
    issues: list[FileIssue]
    num_left_out: int
    num_quarantined: int


class Conversion:
    """One version's files on their way into the lake."""

    def __init__(
        self,
        *,
        dataset: Dataset,
        base: Manifest | None,
        lake: BlobStore,
        work_path: Path,
        quarantine: Quarantine,
        limits: Limits,
        on_progress: OnProgress,
        evolution: Evolution = FROZEN,
        merge: Merge | None = None,
        observer: RowObserver | None = None,
    ) -> None:
        self._observer = observer
        self._dataset, self._base, self._lake = dataset, base, lake
        self._evolution, self._merge = evolution, merge
        self._work_path, self._quarantine, self._limits = work_path, quarantine, limits
        self._on_progress = on_progress
        self._issues: list[FileIssue] = []
        self._num_left_out = 0
        self._num_folders = 0

    def run(self, files: Sequence[LocalFile]) -> Converted:
        """Converts. Raises VersionRejectedError; ExpandedTooLargeError where the disk's share is too small."""
        # NOTE: Arrow's own allocator asks the kernel anew for the pages of each block, a sixth of the work.
        pa.set_memory_pool(pa.system_memory_pool())
        if not files and self._quarantine.num_taken:
            raise VersionRejectedError(
                f"All {self._quarantine.num_taken:,} rows were refused. The first: {self._quarantine.first[0].reason}",
                self._all_issues(),
            )
        spooled = [spool for index, file in enumerate(files) for spool in self._read(index, len(files), file)]
        contract = self._contract(spooled)
        accepted = [spool for spool in spooled if self._accept(spool, contract)]
        if not accepted:
            raise VersionRejectedError(None, self._all_issues())
        schema = self._schema(accepted, contract)
        if schema.target is not None and schema.column(schema.target) is None:
            raise VersionRejectedError(
                f"There is no column {schema.target!r}, which is the dataset's target. The columns are: "
                f"{_listed([column.name for column in schema.columns])}. Correct the file, or name another target.",
                self._all_issues(),
            )
        return self._write(accepted, schema)

    def _read(self, index: int, num_files: int, file: LocalFile) -> list[SpooledFile]:
        self._on_progress("read", index, num_files)
        work_path = self._work_path / f"files-{self._num_folders}"
        work_path.mkdir(exist_ok=True)
        reading = Reading(
            display_name=file.display_name,
            policy=self._dataset.policy,
            quarantine=self._quarantine,
            limits=self._limits,
            types=self._known_types() if num_files == 1 else None,
            is_one_of_many=1 < num_files <= _MAX_IN_MEMORY,
        )
        try:
            if file.is_own:
                found = [own_files.spool(file.path, reading)]
            else:
                found = list(readers.spool(file.path, work_path, reading))
        except FileRejectedError as error:
            self._leave_out(file.display_name, error)
            found = []
        if not file.is_own:
            file.path.unlink()
        kept = {path for spool in found for path in spool.paths}
        _remove_all_but(work_path, kept)
        self._num_folders += bool(kept)
        return found

    def _known_types(self) -> dict[str, ColumnType] | None:
        """Of the base's columns, where they alone decide beside the file itself."""
        if self._evolution.columns or self._evolution.types or self._evolution.declared:
            return None
        return {} if self._base is None else {column.name: column.type for column in self._base.data_schema.columns}

    def _leave_out(self, display_name: str, error: FileRejectedError) -> None:
        issue = error.to_issue(display_name)
        self._issues.append(issue)
        self._num_left_out += 1
        self._quarantine.add(file=display_name, line=issue.line, column=issue.column, reason=issue.reason)

    def _all_issues(self) -> list[FileIssue]:
        """What concerns whole files first, then rows."""
        return [*self._issues, *[issue for issue in self._quarantine.first if issue not in self._issues]]

    def _contract(self, spooled: Sequence[SpooledFile]) -> dict[str, ColumnType | None]:
        """The type of every column; None while no file has a value in it."""
        found: dict[str, ColumnType | None] = {}
        if self._base is not None:
            for column in self._base.data_schema.columns:
                cells = [_find(spool, column.name) for spool in spooled]
                found[column.name] = _widen(column.type, cells, to_text=self._evolution.types)
            if not self._evolution.columns:
                return found
        if not spooled:
            return found
        matching = [spool for spool in spooled if self._evolution.columns or set(spool.names) == set(spooled[0].names)]
        declared = self._evolution.declared
        for name in dict.fromkeys(name for spool in matching for name in spool.names if name not in found):
            found[name] = declared.get(name) or _join([_find(spool, name) for spool in matching])
        return found

    def _accept(self, spool: SpooledFile, contract: dict[str, ColumnType | None]) -> bool:
        try:
            self._check_columns(spool, contract)
            num_bad = spool.num_bad_rows + self._find_bad_cells(spool, contract)
            self._check_bad_rows(spool, num_bad)
        except FileRejectedError as error:
            self._leave_out(spool.display_name, error)
            return False
        return True

    def _check_columns(self, spool: SpooledFile, contract: dict[str, ColumnType | None]) -> None:
        """The contract check: columns neither go nor come without anybody deciding it."""
        origin = f"version {self._base.number}" if self._base is not None else "the first file"
        own = (VALID_FROM, VALID_TO) if self._merge is not None and self._merge.at is not None else ()
        missing = [name for name in contract if name not in spool.names and name not in own]
        added = [name for name in spool.names if name not in contract]
        if (missing or added) and not self._evolution.columns:
            differences = [f"{what} {_listed(names)}" for what, names in (("lacks", missing), ("adds", added)) if names]
            raise FileRejectedError(
                f"The columns differ from {origin}: the file {' and '.join(differences)}. Correct the file, or "
                "upload it with mode replace to begin anew."
            )
        if self._base is not None and spool.kind is not self._base.data_schema.kind:
            raise FileRejectedError(f"{origin} holds {self._base.data_schema.kind}, the file {spool.kind}.")
        for name, column_type in contract.items():
            fixed = _find(spool, name).fixed
            if fixed is not None and not _is_castable(fixed, column_type):
                raise FileRejectedError(
                    f"Column {name!r} is {column_type} in {origin} but {fixed} in this file. Convert it, or "
                    "upload with mode replace.",
                    column=name,
                )

    def _find_bad_cells(self, spool: SpooledFile, contract: dict[str, ColumnType | None]) -> int:
        """Puts every row with a cell that is not of its column's type into the quarantine; returns their number."""
        if not any(_may_be_bad(column, contract[column.name]) for column in spool.columns):
            return 0
        num_bad = 0
        for batch in spool.batches():
            checks = _typed(spool, batch, contract)
            is_bad = _any_bad(checks)
            if is_bad is None:
                continue
            for row in pc.indices_nonzero(is_bad).to_pylist():
                column, reason = _why_bad(spool, batch, checks, row)
                self._quarantine.add(
                    file=spool.display_name,
                    line=batch.column(LINE)[row].as_py(),
                    column=column,
                    reason=reason,
                    text=_row_text(batch, row),
                    values=_row_values(spool, batch, row),
                )
                num_bad += 1
        return num_bad

    def _check_bad_rows(self, spool: SpooledFile, num_bad: int) -> None:
        if not num_bad:
            return
        policy, num_all = self._dataset.policy, spool.num_rows + spool.num_bad_rows
        first = next(issue for issue in self._first_rows(spool))
        example = f"The first is on line {first.line}: {first.reason}" if first.line else f"The first: {first.reason}"
        if policy.bad_rows is BadRows.REJECT:
            raise FileRejectedError(
                f"{num_bad:,} of {num_all:,} rows do not parse, and the dataset's policy rejects such files. {example} "
                "Correct the file, or set policy.bad_rows to quarantine (on the command line: --bad-rows quarantine).",
                line=first.line,
                column=first.column,
            )
        if num_bad > policy.max_bad_fraction * num_all:
            raise FileRejectedError(
                f"{num_bad:,} of {num_all:,} rows do not parse, more than the {policy.max_bad_fraction:.0%} that the "
                f"dataset's policy allows. {example} Correct the file, or raise policy.max_bad_fraction "
                "(on the command line: --max-bad-fraction).",
                line=first.line,
                column=first.column,
            )

    def _check_taken(self, num_all: int) -> None:
        """The policy on bad rows, for those that were refused before they came here."""
        num_bad, policy = self._quarantine.num_taken, self._dataset.policy
        allowed = 0.0 if policy.bad_rows is BadRows.REJECT else policy.max_bad_fraction
        if num_bad > allowed * num_all:
            raise VersionRejectedError(
                f"{num_bad:,} of {num_all:,} rows were refused, more than the {allowed:.0%} that the dataset's policy "
                f"allows. The first: {self._quarantine.first[0].reason} Correct them, or raise the policy's "
                "max_bad_fraction (on the command line: --max-bad-fraction).",
                self._all_issues(),
            )

    def _first_rows(self, spool: SpooledFile) -> Iterator[FileIssue]:
        yield from (issue for issue in self._quarantine.first if issue.file == spool.display_name)
        yield FileIssue(file=spool.display_name, reason="see the quarantine.")

    def _schema(self, accepted: Sequence[SpooledFile], contract: dict[str, ColumnType | None]) -> Schema:
        columns = [
            Column(name=name, type=found or ColumnType.STRING, written=self._written(name, found, accepted))
            for name, found in contract.items()
        ]
        if self._merge is not None:
            try:
                columns = merging.complete(columns, self._merge)
            except merging.UnknownKeyError as error:
                raise VersionRejectedError(str(error), self._all_issues()) from error
        shapes = {spool.image_shape for spool in accepted}
        if self._base is not None:
            shapes.add(self._base.data_schema.image_shape)
        shape: ImageShape | None = shapes.pop() if len(shapes) == 1 else None
        target = self._dataset.target or accepted[0].target
        return Schema(kind=accepted[0].kind, columns=columns, target=target, image_shape=shape)

    def _written(self, name: str, found: ColumnType | None, accepted: Sequence[SpooledFile]) -> str | None:
        """How the cells of a column are written: as before, where they can be."""
        before = None if self._base is None else self._base.data_schema.column(name)
        evidence = _merged([_find(spool, name) for spool in accepted])
        ways = evidence.written(found, None if before is None else before.written) if found is not None else ()
        if ways:
            return ways[0] if ways[0] not in (column_types.ISO, column_types.ISO_ZONED) else None
        return None if before is None else before.written

    def _write(self, accepted: Sequence[SpooledFile], schema: Schema) -> Converted:
        contract: dict[str, ColumnType | None] = {column.name: column.type for column in schema.columns}
        written = {column.name: column.written for column in schema.columns}
        profiler = Profiler(schema, observer=self._observer, num_rows_expected=self._num_rows_expected(accepted))
        num_infinite = dict.fromkeys(contract, 0)
        num_new, num_read = 0, 0

        def read_new() -> Iterator[pa.RecordBatch]:
            nonlocal num_new, num_read
            for index, spool in enumerate(accepted):
                self._on_progress("write", index, len(accepted))
                for batch in spool.batches():
                    typed = _typed(spool, batch, contract, written)
                    for name, found in typed.items():
                        num_infinite[name] += found.num_infinite
                    good = _good_rows(typed, schema)
                    num_read += batch.num_rows
                    num_new += good.num_rows
                    yield good
                spool.remove()

        files = self._join(schema, profiler, collected(read_new()))
        warnings = [warning for spool in accepted for warning in [*spool.warnings, *_notes(spool, schema)]]
        warnings += [
            f"Column {name!r}: {count:,} infinite values became missing."
            for name, count in num_infinite.items()
            if count
        ]
        num_quarantined = (
            num_read - num_new + sum(spool.num_bad_rows for spool in accepted) + self._quarantine.num_taken
        )
        if not num_new:
            raise VersionRejectedError("No row could be used; see the issues.", self._all_issues())
        self._check_taken(max(num_new + num_quarantined, self._quarantine.num_seen))
        self._on_progress("profile", 0, 1)
        sketches = profiler.sketches()
        return Converted(
            schema=schema,
            files=files,
            profile=profiler.finish(num_quarantined=num_quarantined, warnings=warnings),
            sketches=sketches,
            fresh=profiler.fresh_sketches() or sketches,
            issues=self._all_issues(),
            num_left_out=self._num_left_out,
            num_quarantined=num_quarantined,
        )

    def _num_rows_expected(self, accepted: Sequence[SpooledFile]) -> int:
        """How many rows the version will have; 0 where that depends on which new ones replace old ones."""
        if self._merge is not None:
            return 0
        base = () if self._base is None else self._base.files
        return sum(spool.num_rows for spool in accepted) + sum(file.num_rows for file in base)

    def _new_writer(self, schema: Schema) -> DatasetWriter:
        return DatasetWriter(
            lake=self._lake,
            workspace_id=self._dataset.workspace_id,
            dataset_id=self._dataset.id,
            schema=schema,
            work_path=self._work_path,
        )

    def _join(self, schema: Schema, profiler: Profiler, new: Iterator[pa.RecordBatch]) -> list[DataFile]:
        """The files of the base's rows, and of the new ones after them.

        Of the base files are shared, joined where many are small, or written anew in wider types or without the rows
        that new ones replace.
        """
        with ExitStack() as stack:
            fresh: merging.Fresh | None = None
            if self._merge is not None:
                spool_path = self._work_path / "fresh.arrow"
                fresh = stack.enter_context(merging.Fresh(spool_path, new, self._merge, to_arrow_schema(schema)))
                new = fresh.batches()
            files: list[DataFile] = []
            if self._base is not None:
                with self._new_writer(schema) as writer:
                    for batch in base_files.carry_over(
                        self._base,
                        writer,
                        workspace_id=self._dataset.workspace_id,
                        lake=self._lake,
                        work_path=self._work_path,
                        on_file=lambda index, num_files: self._on_progress("read base", index, num_files),
                        change=None if fresh is None else fresh.change,
                    ):
                        profiler.add(batch)
                files = writer.files
                profiler.begin_fresh()
            with self._new_writer(schema) as writer:
                for batch in new:
                    profiler.add(batch)
                    writer.write(batch)
            return [*files, *writer.files]


def _remove_all_but(folder: Path, kept: set[Path]) -> None:
    """Frees the disk of what was only needed for reading."""
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def _find(spool: SpooledFile, name: str) -> SpooledColumn:
    """A file's column of that name; one without evidence where it is missing, which the contract check refuses."""
    found = next((column for column in spool.columns if column.name == name), None)
    return found or SpooledColumn(name=name, evidence=column_types.Evidence())


def _join(columns: Sequence[SpooledColumn]) -> ColumnType | None:
    """The type that holds the column of every file."""
    merged = _merged(columns)
    found = {column.fixed for column in columns if column.fixed is not None}
    if merged.num_cells:
        found.add(merged.resolve())
    if len(found) <= 1:
        return next(iter(found), None)
    return ColumnType.NUMBER if found == {ColumnType.INTEGER, ColumnType.NUMBER} else ColumnType.STRING


def _merged(columns: Sequence[SpooledColumn]) -> column_types.Evidence:
    merged = column_types.Evidence()
    for column in columns:
        merged = merged if column.evidence is None else merged.merge(column.evidence)
    return merged


def _notes(spool: SpooledFile, schema: Schema) -> list[str]:
    known = {column.name: column for column in spool.columns}
    notes = [
        evidence.note(column.name, column.type, column.written)
        for column in schema.columns
        if column.name in known and (evidence := known[column.name].evidence) is not None
    ]
    return [note for note in notes if note]


def _widen(base: ColumnType, columns: Sequence[SpooledColumn], *, to_text: bool = False) -> ColumnType:
    """Whole numbers may become numbers; every other type stays, unless it may become text."""
    if base is ColumnType.INTEGER and any(column.resolve() is ColumnType.NUMBER for column in columns):
        return ColumnType.NUMBER
    if to_text and base is not ColumnType.IMAGE and any(_is_unfit(column, base) for column in columns):
        return ColumnType.STRING
    return base


def _is_unfit(column: SpooledColumn, wanted: ColumnType) -> bool:
    if column.fixed is not None:
        return not _is_castable(column.fixed, wanted)
    return _may_be_bad(column, wanted)


def _is_castable(found: ColumnType, wanted: ColumnType | None) -> bool:
    if wanted is None or found is wanted:
        return True
    if wanted is ColumnType.STRING:
        return found not in (ColumnType.IMAGE, ColumnType.SERIES)
    return found is ColumnType.INTEGER and wanted is ColumnType.NUMBER


def _may_be_bad(column: SpooledColumn, wanted: ColumnType | None) -> bool:
    return column.evidence is not None and column.evidence.may_have_others_than(wanted)


def _typed(
    spool: SpooledFile,
    batch: pa.RecordBatch,
    contract: dict[str, ColumnType | None],
    written: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, column_types.Converted]:
    """The batch's columns by name, in the contract's order and types."""
    positions = {name: index for index, name in enumerate(spool.names)}
    columns = [_find(spool, name) for name in contract]
    cells = [
        batch.column(str(positions[name])) if name in positions else pa.nulls(batch.num_rows, pa.string())
        for name in contract
    ]

    def convert(column: SpooledColumn, values: pa.Array) -> column_types.Converted:
        wanted = contract[column.name] or ColumnType.STRING
        if column.evidence is None or not pa.types.is_string(values.type):
            return _cast_fixed(values, wanted)
        return column_types.convert(values, wanted, column.evidence.written(wanted, written.get(column.name)))

    return dict(zip(contract, for_each_column(convert, columns, cells), strict=True))


def _cast_fixed(values: pa.Array, wanted: ColumnType) -> column_types.Converted:
    return column_types.to_normal_form(values.cast(ARROW_TYPES[wanted]), wanted)


def _any_bad(typed: dict[str, column_types.Converted]) -> pa.Array | None:
    combined: pa.Array | None = None
    for found in typed.values():
        if found.is_bad is not None:
            combined = found.is_bad if combined is None else pc.or_(combined, found.is_bad)
    return combined


def _good_rows(typed: dict[str, column_types.Converted], schema: Schema) -> pa.RecordBatch:
    batch = pa.RecordBatch.from_arrays([found.values for found in typed.values()], schema=to_arrow_schema(schema))
    is_bad = _any_bad(typed)
    return batch if is_bad is None else batch.filter(pc.invert(is_bad))


def _why_bad(
    spool: SpooledFile, batch: pa.RecordBatch, typed: dict[str, column_types.Converted], row: int
) -> tuple[str, str]:
    """The first bad cell of a row: its column, and what is wrong with it."""
    name, found = next(
        (name, found) for name, found in typed.items() if found.is_bad is not None and found.is_bad[row].as_py()
    )
    text = batch.column(str(spool.names.index(name)))[row].as_py()
    column_type = next(kind for kind, arrow in ARROW_TYPES.items() if arrow == found.values.type)
    if column_type is ColumnType.SERIES:
        return name, series.explain(text)
    return (
        name,
        f"{text[:80]!r} is not of the type {column_type} that the column has. Correct the cell, or leave it empty.",
    )


def _row_text(batch: pa.RecordBatch, row: int) -> str:
    """The row as CSV, as it was before any conversion."""
    values = [
        column[row].as_py() for name, column in zip(batch.schema.names, batch.columns, strict=True) if name != LINE
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow("" if value is None else value for value in values)
    return text.getvalue()


def _row_values(spool: SpooledFile, batch: pa.RecordBatch, row: int) -> dict[str, str | None]:
    cells = (batch.column(str(index))[row].as_py() for index in range(len(spool.names)))
    texts = (
        None if isinstance(cell, bytes) else json.dumps(cell) if isinstance(cell, list) else cell for cell in cells
    )
    return {name: None if text is None else str(text) for name, text in zip(spool.names, texts, strict=True)}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"
