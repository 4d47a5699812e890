"""What an object that arrived in the landing bucket means: an upload's bytes, or a file for a dataset by its folder."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from aimass_core.domain import keys
from aimass_core.domain.common import NAME_PATTERN, is_id
from aimass_core.domain.datasets import Dataset, DatasetVersion, LandedFile, WriteMode
from aimass_core.ports import BlobInfo, Ports
from aimass_core.services import datasets, platform, uploads
from aimass_core.services.ingest import versions

_MAX_DISPLAY_NAME = 500
_SWEEP_MINUTES = 3
_MISSED_AFTER, _MISSED_UNTIL, _MAX_MISSED = timedelta(minutes=1), timedelta(minutes=16), 1_000
_IGNORED_NAMES = re.compile(r"^(\.|_SUCCESS$|_started|_committed|Thumbs\.db$|desktop\.ini$)")

_log = logging.getLogger(__name__)


def land(ports: Ports, key: str) -> DatasetVersion | None:
    """Takes an object in. Idempotent; what belongs nowhere stays where it is and is logged."""
    if key.startswith(keys.UPLOADS_PREFIX):
        return uploads.complete_landed(ports, key)
    if key.startswith(keys.DROP_PREFIX):
        return _land_drop(ports, key)
    _log.warning("object is outside of the known folders", extra={"key": key})
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """What S3's event tells of an object."""

    key: str
    etag: str
    num_bytes: int
    at: datetime


def land_all(ports: Ports, objects: Sequence[NewObject]) -> None:
    """Takes dropped files in, those of a dataset together. Idempotent; what belongs nowhere is left and logged.

    Where files replace each other, the time at which each was written counts, which S3 alone knows: those are taken in
    one by one.
    """
    folders: dict[tuple[str, str], list[NewObject]] = {}
    for found in objects:
        place = _split(found.key)
        if place is not None:
            folders.setdefault(place[:2], []).append(found)
    for (workspace_name, dataset_name), together in folders.items():
        dataset = _find_dataset(ports, workspace_name, dataset_name, key=together[0].key)
        if dataset is None:
            continue
        if dataset.policy.drop_mode is WriteMode.REPLACE:
            for found in together:
                _land_drop(ports, found.key)
        else:
            files = [_from_event(found) for found in together]
            versions.land_all(ports, dataset.id, dataset.workspace_id, files)


def land_missed(ports: Ports) -> int:
    """Takes in dropped files whose event never came. Returns how many. For the reconciler, each minute.

    Only files of the last minutes are looked at, and the folder is listed only in every third minute.
    """
    now = ports.clock()
    if now.minute % _SWEEP_MINUTES:
        return 0
    recent = (
        blob
        for blob in ports.landing.list(keys.DROP_PREFIX)
        if now - _MISSED_UNTIL < blob.modified_at < now - _MISSED_AFTER
    )
    folders: dict[tuple[str, str], _Folder | None] = {}
    unknown = ((blob, folder) for blob in recent if (folder := _find_folder(ports, blob, folders)) is not None)
    return sum(_land_if_missed(ports, blob, folder) for blob, folder in islice(unknown, _MAX_MISSED))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """A dataset, and the files that its versions of late have taken: thousands lie in one folder."""

    dataset: Dataset
    taken: frozenset[tuple[str, str]]


def _find_folder(ports: Ports, found: BlobInfo, folders: dict[tuple[str, str], _Folder | None]) -> _Folder | None:
    """The folder of a file that may have been missed; None where it was not, or belongs to no dataset."""
    place = _split(found.key)
    if place is None:
        return None
    if place[:2] not in folders:
        dataset = _find_dataset(ports, *place[:2], key=found.key)
        folders[place[:2]] = None if dataset is None else _Folder(dataset=dataset, taken=_taken_of_late(ports, dataset))
    folder = folders[place[:2]]
    return None if folder is None or (found.key, found.etag) in folder.taken else folder


def _taken_of_late(ports: Ports, dataset: Dataset) -> frozenset[tuple[str, str]]:
    """Empty where files replace each other: the same content may come again."""
    if dataset.policy.drop_mode is WriteMode.REPLACE:
        return frozenset()
    files = versions.load_files_since(ports, dataset, ports.clock() - 2 * _MISSED_UNTIL)
    return frozenset((file.key, file.etag) for file in files)


def _land_if_missed(ports: Ports, found: BlobInfo, folder: _Folder) -> bool:
    dataset = folder.dataset
    # NOTE: a listing tells the time more exactly than S3 does of the object itself, by which replacing files are told.
    is_by_time = dataset.policy.drop_mode is WriteMode.REPLACE
    _, _, file_name = found.key.removeprefix(keys.DROP_PREFIX).split("/", 2)
    drop = _find_drop(ports, found.key) if is_by_time else _Drop(dataset=dataset, landed=_to_landed(found, file_name))
    if drop is None or versions.has_landed(ports, drop.dataset, drop.landed):
        return False
    versions.land(ports, drop.dataset.id, drop.dataset.workspace_id, drop.landed)
    _log.warning("a dropped file had been missed", extra={"key": found.key})
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drop:
    dataset: Dataset
    landed: LandedFile


def _land_drop(ports: Ports, key: str) -> DatasetVersion | None:
    drop = _find_drop(ports, key)
    if drop is None:
        return None
    return versions.land(ports, drop.dataset.id, drop.dataset.workspace_id, drop.landed)


def _find_drop(ports: Ports, key: str) -> _Drop | None:
    """What a dropped file is, and for which dataset; None where it belongs to none."""
    found = ports.landing.head(key)
    place = None if found is None else _split(key)
    if found is None or place is None:
        return None
    workspace_name, dataset_name, file_name = place
    dataset = _find_dataset(ports, workspace_name, dataset_name, key=key)
    return None if dataset is None else _Drop(dataset=dataset, landed=_to_landed(found, file_name))


def _split(key: str) -> tuple[str, str, str] | None:
    """Workspace, dataset and file by their names; None for what is no file of a dataset."""
    if key.endswith("/"):
        return None
    parts = key.removeprefix(keys.DROP_PREFIX).split("/", 2)
    if len(parts) < 3:
        _log.warning("dropped file lies in no dataset's folder: drop/<workspace>/<dataset>/<file>", extra={"key": key})
        return None
    workspace_name, dataset_name, file_name = parts
    if _IGNORED_NAMES.match(file_name.rpartition("/")[2]):
        return None
    return workspace_name, dataset_name, file_name


def _find_dataset(ports: Ports, workspace_name: str, dataset_name: str, *, key: str) -> Dataset | None:
    workspace = ports.registry.get(keys.workspace_name_row(workspace_name))
    if workspace is None:
        _log.warning("dropped file names a workspace that does not exist", extra={"key": key})
        return None
    if re.fullmatch(NAME_PATTERN, dataset_name) is None or is_id(dataset_name):
        _log.warning("dropped file's folder cannot name a dataset: a-z, 0-9, - and _", extra={"key": key})
        return None
    workspace_id = str(workspace.data["id"])
    return datasets.ensure(ports, platform.principal("ingest", workspace_id), dataset_name)


def _from_event(found: NewObject) -> LandedFile:
    place = _split(found.key)
    assert place is not None  # noqa: S101 - it was sorted by it
    return LandedFile(
        key=found.key,
        etag=found.etag,
        num_bytes=found.num_bytes,
        display_name=place[2][:_MAX_DISPLAY_NAME],
        landed_at=found.at,
    )


def _to_landed(found: BlobInfo, file_name: str) -> LandedFile:
    return LandedFile(
        key=found.key,
        etag=found.etag,
        num_bytes=found.num_bytes,
        display_name=file_name[:_MAX_DISPLAY_NAME],
        landed_at=found.modified_at,
    )
