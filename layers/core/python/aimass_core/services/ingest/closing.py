"""Converts a version whose window has closed and commits it: files first, then their manifest, then the registry.

A crash in between leaves only objects that nothing names; the repeated message finds the version free and finishes it.
"""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.datasets import (
    Dataset,
    DatasetVersion,
    DatasetVersionStatus,
    FileIssue,
    LandedFile,
    Manifest,
    WriteMode,
)
from aimass_core.domain.quality import Outcome, QualityReport
from aimass_core.ports import BlobNotFoundError, Ports, Write
from aimass_core.services import jobs, quarantine, records, uploads
from aimass_core.services.ingest import versions
from aimass_core.services.ingest.conversion import Conversion, Converted, LocalFile, OnProgress, VersionRejectedError
from aimass_core.services.ingest.evolution import FROZEN, Evolution, Merge
from aimass_core.services.ingest.issues import MAX_ISSUES_SHOWN, FileRejectedError, Quarantine
from aimass_core.services.ingest.limits import ExpandedTooLargeError, Limits
from aimass_core.services.ingest.versions import Claim
from aimass_core.services.ingest.writing import hash_file
from aimass_core.services.quality import checking

_JSON = "application/json"
_JSON_LINES = "application/x-ndjson"
# A Lambda's disk must hold a landed file, its unpacked text and its rows.
EXPANSION_IN_LAMBDA = 3
# What is read row by row or picture by picture has to end before a Lambda does.
_SLOW_BYTES_IN_LAMBDA = 128 * 1024**2
_SMALL_BYTES = 1024**2
_MAX_DOWNLOADS = 8
_DELETED = "The file was deleted before it was read. Send it again."
_REPLACED = "The file was replaced before it was read. What replaced it is read on its own."
_OTHER_BYTES = "The bytes are not those whose SHA-256 was declared. Upload the file again."

_UNFINISHED = "Its rows did not come from files, and whoever delivered them did not finish. Do that again."

_log = logging.getLogger(__name__)


def close(
    ports: Ports, workspace_id: str, dataset_id: str, number: int, *, max_bytes: int, lease_seconds: float
) -> DatasetVersion | None:
    """Converts a version here, or hands it over to an ingest job where it has more than `max_bytes`. Idempotent.

    Returns the version as it is then; None where there was nothing to do.
    """
    claimed = versions.claim(ports, workspace_id, dataset_id, number, lease_seconds=lease_seconds)
    if claimed is None:
        return None
    with versions.given_back(ports, claimed):
        return _close(ports, claimed, max_bytes=max_bytes)


def _close(ports: Ports, claimed: Claim, *, max_bytes: int) -> DatasetVersion:
    files = versions.load_files(ports, claimed.version)
    if not files:
        return versions.finish(ports, claimed, status=DatasetVersionStatus.REJECTED, status_reason=_UNFINISHED)
    num_landed_bytes = sum(file.num_bytes for file in files)
    # NOTE: an upload was held against the quota before its bytes were sent.
    workspace_id = claimed.version.workspace_id
    refused = uploads.refuse_to_store(ports, workspace_id, num_landed_bytes) if _are_dropped(files) else None
    if refused is not None:
        reason = f"{refused} Then drop the files once more, by other names."
        return versions.finish(ports, claimed, status=DatasetVersionStatus.REJECTED, status_reason=reason)
    num_bytes = num_landed_bytes + _base_bytes(ports, claimed)
    if num_bytes > max_bytes:
        return _hand_over(ports, claimed)
    limits = Limits(
        max_expanded_bytes=EXPANSION_IN_LAMBDA * max_bytes, max_slow_bytes=min(_SLOW_BYTES_IN_LAMBDA, max_bytes)
    )
    try:
        return _Run(ports, claimed, limits).run()
    except ExpandedTooLargeError:
        return _hand_over(ports, claimed)


def ingest(
    ports: Ports, workspace_id: str, dataset_id: str, number: int, *, lease_seconds: float, on_progress: OnProgress
) -> DatasetVersion | None:
    """The same in an ingest job, without the Lambda's limits. A later attempt takes over from a lost one."""
    claimed = versions.claim(ports, workspace_id, dataset_id, number, lease_seconds=lease_seconds, takes_over=True)
    if claimed is None:
        return None
    return convert(ports, claimed, limits=Limits(), on_progress=on_progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a version is made from where no files landed. The files are used up, but for those that the caller keeps;
    `quarantined` is JSON Lines of QuarantinedRow, of `num_seen` rows where more were looked at than come here; `also`
    is written in the transaction that makes the version READY, and only then."""

    files: Sequence[LocalFile]
    quarantined: Path | None = None
    num_seen: int = 0
    also: Sequence[Write] = ()
    evolution: Evolution = FROZEN
    merge: Merge | None = None


def _unseen(_phase: str, _step: int, _num_steps: int) -> None:
    """Progress that nobody looks at."""


def convert(
    ports: Ports,
    claimed: Claim,
    *,
    limits: Limits,
    on_progress: OnProgress = _unseen,
    delivered: Delivered | None = None,
) -> DatasetVersion:
    """Converts a claimed version and ends it, READY or REJECTED. After any other fault the claim is given back."""
    with versions.given_back(ports, claimed):
        return _Run(ports, claimed, limits, on_progress, delivered).run()


@dataclass(frozen=True, slots=True)
class _Run:
    ports: Ports
    claimed: Claim
    limits: Limits
    on_progress: OnProgress = _unseen
    delivered: Delivered | None = None

    @property
    def version(self) -> DatasetVersion:
        return self.claimed.version

    def run(self) -> DatasetVersion:
        with tempfile.TemporaryDirectory(prefix="aimass-ingest-") as folder:
            return self._run(Path(folder))

    def _run(self, work_path: Path) -> DatasetVersion:
        dataset = records.get(self.ports, Dataset, self.version.workspace_id, self.version.dataset_id)
        base = _load_base(self.ports, self.claimed)
        checker = checking.begin(self.ports, self.version, dataset)
        evolution, merge = self._rules_of(dataset)
        with Quarantine(work_path / "quarantine.jsonl") as kept_apart:
            files, gone = self._gather(kept_apart, work_path)
            conversion = Conversion(
                dataset=dataset,
                base=base,
                lake=self.ports.lake,
                work_path=work_path,
                quarantine=kept_apart,
                limits=self.limits,
                on_progress=self.on_progress,
                evolution=evolution,
                merge=merge,
                observer=checker,
            )
            try:
                converted = conversion.run(files)
            except VersionRejectedError as error:
                rejected: VersionRejectedError | None = error
            else:
                rejected = None
        self._put_file("quarantine.jsonl", kept_apart.path, _JSON_LINES)
        beside = self._quarantine_writes(dataset, kept_apart.count)
        if rejected is not None:
            return self._reject(rejected, gone, beside, num_landed=len(files) + len(gone))
        report = None if checker is None else self._check(checker, converted)
        return self._commit(converted, gone, report, beside, num_landed=len(files) + len(gone))

    def _rules_of(self, dataset: Dataset) -> tuple[Evolution, Merge | None]:
        """How new rows may differ from those before, and come together with them. Of landed ones the webhook says so
        that fills the dataset."""
        if self.delivered is not None:
            return self.delivered.evolution, self.delivered.merge
        if dataset.source_id is None or self.version.mode is not WriteMode.APPEND:
            return FROZEN, None
        # NOTE: sources take long to import, and few datasets have one.
        from aimass_core.services import webhooks

        return webhooks.find_rules(self.ports, dataset)

    def _gather(self, kept_apart: Quarantine, work_path: Path) -> tuple[list[LocalFile], list[FileIssue]]:
        """The files on the local disk; those that are not what landed are left out with the reason."""
        if self.delivered is not None:
            if self.delivered.quarantined is not None:
                kept_apart.take(self.delivered.quarantined, num_seen=self.delivered.num_seen)
            return list(self.delivered.files), []
        landed = versions.load_files(self.ports, self.version)
        files, gone = [], []
        paths = [work_path / f"landed-{index}" for index in range(len(landed))]
        with ThreadPoolExecutor(_MAX_DOWNLOADS) as pool:
            for index, refused in enumerate(pool.map(self._try_fetch, landed, paths)):
                self.on_progress("download", index, len(landed))
                file = landed[index]
                if refused is None:
                    files.append(LocalFile(path=paths[index], display_name=file.display_name))
                else:
                    gone.append(refused.to_issue(file.display_name))
                    kept_apart.add(file=file.display_name, line=None, reason=refused.reason)
        return files, gone

    def _try_fetch(self, file: LandedFile, path: Path) -> FileRejectedError | None:
        try:
            if file.num_bytes <= _SMALL_BYTES:
                self._fetch_small(file, path)
            else:
                self._fetch(file, path)
        except FileRejectedError as error:
            return error
        except BlobNotFoundError:
            return FileRejectedError(_DELETED)
        return None

    def _fetch_small(self, file: LandedFile, path: Path) -> None:
        """By one request: of thousands of files the requests take the time."""
        found, body = self.ports.landing.read(file.key)
        if found.etag != file.etag:
            raise FileRejectedError(_REPLACED)
        if file.sha256 is not None and hashlib.sha256(body).hexdigest() != file.sha256:
            raise FileRejectedError(_OTHER_BYTES)
        path.write_bytes(body)

    def _fetch(self, file: LandedFile, path: Path) -> None:
        found = self.ports.landing.head(file.key)
        if found is None:
            raise BlobNotFoundError(file.key)
        if found.etag != file.etag:
            raise FileRejectedError(_REPLACED)
        self.ports.landing.download(file.key, path)
        if file.sha256 is not None and hash_file(path) != file.sha256:
            raise FileRejectedError(_OTHER_BYTES)

    def _check(self, checker: checking.Checker, converted: Converted) -> QualityReport:
        self.on_progress("check", 0, 1)
        report = checker.finish(
            converted.schema,
            profile=converted.profile,
            fresh=converted.fresh,
            base_number=self.claimed.base_number,
        )
        checking.save_report(self.ports, self.version, report)
        return report

    def _quarantine_writes(self, dataset: Dataset, num_rows: int) -> list[Write]:
        return [quarantine.new_write(self.ports, self.version, dataset, num_rows=num_rows)] if num_rows else []

    def _commit(
        self,
        converted: Converted,
        gone: list[FileIssue],
        report: QualityReport | None,
        beside: Sequence[Write],
        *,
        num_landed: int,
    ) -> DatasetVersion:
        """READY, or REJECTED where an expectation that blocks is not met: then it can be looked at all the same."""
        version = self.version
        manifest = Manifest(
            dataset_id=version.dataset_id,
            number=version.number,
            data_schema=converted.schema,
            files=converted.files,
        )
        self._put_json("schema.json", converted.schema.model_dump_json(indent=1))
        self._put_json("profile.json", converted.profile.model_dump_json(indent=1))
        self._put_json("sketches.json", converted.sketches.model_dump_json())
        self._put_json("manifest.json", manifest.model_dump_json(indent=1))
        num_left_out = converted.num_left_out + len(gone)
        reason = f"{num_left_out} of {num_landed} files were left out; see the issues." if num_left_out else None
        is_blocked = report is not None and report.outcome is Outcome.FAILED
        return versions.finish(
            self.ports,
            self.claimed,
            also=[*beside, *(() if self.delivered is None or is_blocked else self.delivered.also)],
            status=DatasetVersionStatus.REJECTED if is_blocked else DatasetVersionStatus.READY,
            status_reason=checking.explain(report) if report is not None and is_blocked else reason,
            quality=None if report is None else report.outcome,
            base_number=self.claimed.base_number,
            kind=converted.schema.kind,
            num_rows=converted.profile.num_rows,
            num_quarantined=converted.num_quarantined,
            num_bytes=sum(file.num_bytes for file in converted.files),
            num_files=len(converted.files),
            num_columns=len(converted.schema.columns),
            target=converted.schema.target,
            digest=manifest.digest(),
            issues=[*gone, *converted.issues][:MAX_ISSUES_SHOWN],
        )

    def _reject(
        self, error: VersionRejectedError, gone: list[FileIssue], beside: Sequence[Write], *, num_landed: int
    ) -> DatasetVersion:
        issues = [*gone, *error.issues][:MAX_ISSUES_SHOWN]
        first = "" if num_landed <= 1 else f"None of the {num_landed} files could be used. {issues[0].file}: "
        return versions.finish(
            self.ports,
            self.claimed,
            also=beside,
            status=DatasetVersionStatus.REJECTED,
            status_reason=error.reason or f"{first}{issues[0].reason}",
            base_number=self.claimed.base_number,
            issues=issues,
        )

    def _key(self, name: str) -> str:
        version = self.version
        return keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, name)

    def _put_json(self, name: str, text: str) -> None:
        self.ports.lake.put(self._key(name), text.encode(), content_type=_JSON)

    def _put_file(self, name: str, path: Path, content_type: str) -> None:
        self.ports.lake.upload(path, self._key(name), content_type=content_type)


def _hand_over(ports: Ports, claimed: Claim) -> DatasetVersion:
    version = claimed.version
    job = jobs.submit_ingest(ports, version.workspace_id, version.dataset_id, version.number)
    versions.give_back(ports, claimed)
    _log.info("version is ingested by a job", extra={"version_id": version.id, "job_id": job.id})
    return records.get(ports, DatasetVersion, version.workspace_id, version.dataset_id, version.number)


def _are_dropped(files: Sequence[LandedFile]) -> bool:
    return any(file.key.startswith(keys.DROP_PREFIX) for file in files)


def _base_bytes(ports: Ports, claimed: Claim) -> int:
    if claimed.base_number is None:
        return 0
    version = claimed.version
    base = records.get(ports, DatasetVersion, version.workspace_id, version.dataset_id, claimed.base_number)
    return base.num_bytes or 0


def _load_base(ports: Ports, claimed: Claim) -> Manifest | None:
    if claimed.base_number is None:
        return None
    version = claimed.version
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, claimed.base_number, "manifest.json")
    return Manifest.model_validate_json(ports.lake.get(key))
