"""Brings the data of a job to where its code reads it: the Parquet files that the manifests name, and nothing else."""

import json
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.datasets import DataFile, Manifest
from aimass_core.errors import InvalidDataError
from aimass_core.ports import BlobNotFoundError, BlobStore
from batch_jobs.runtime.storage.digests import sha256_of

_NUM_THREADS = 8
_LEFT = "files.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file that a channel wants."""

    key: str
    path: Path
    data_file: DataFile


def download_channels(
    lake: BlobStore,
    sources: Mapping[str, Mapping[str, str]],
    folder: Path,
    *,
    leave_above_bytes: int | None = None,
) -> dict[str, Path]:
    """Downloads every channel of `inputdataconfig.json`, in parallel, and checks each file's SHA-256.

    Args:
        leave_above_bytes: where the files of all channels have more together, they stay in the lake (`find_left`).

    Returns:
        The folder of each channel: `schema.json` and its Parquet files, named in the manifest's order.

    Raises:
        InvalidDataError: A dataset version is gone, or is not the one that the job was given.
    """
    channels: dict[str, Path] = {}
    downloads: dict[str, list[Download]] = {}
    for name, source in sources.items():
        manifest = _load_manifest(lake, name, source)
        channels[name] = folder / name
        channels[name].mkdir(parents=True, exist_ok=True)
        (channels[name] / "schema.json").write_text(manifest.data_schema.model_dump_json(indent=1))
        downloads[name] = list(_to_downloads(source["workspace_id"], manifest, channels[name]))
    wanted = [each for files in downloads.values() for each in files]
    if leave_above_bytes is not None and sum(each.data_file.num_bytes for each in wanted) > leave_above_bytes:
        for name, files in downloads.items():
            (channels[name] / _LEFT).write_text(json.dumps([each.key for each in files]))
    else:
        _run(lake, wanted)
    return channels


def find_left(folder: Path) -> list[str] | None:
    """Of a channel whose files have stayed in the lake, their keys in the manifest's order."""
    path = folder / _LEFT
    return [str(key) for key in json.loads(path.read_text())] if path.exists() else None


def list_channels(folder: Path) -> dict[str, Path]:
    """The channels that somebody else (SageMaker) has put there."""
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()}


def _load_manifest(lake: BlobStore, channel: str, source: Mapping[str, str]) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(lake.get(source["manifest"]))
    except BlobNotFoundError as error:
        raise InvalidDataError(
            f"The dataset version of the channel {channel!r} is gone. Submit a new job on a version that exists."
        ) from error
    if manifest.digest() != source["digest"]:
        raise InvalidDataError(
            f"The dataset version of the channel {channel!r} is not the one that the job was given: its digest is "
            f"{manifest.digest()}, not {source['digest']}. Submit the job again."
        )
    return manifest


def _to_downloads(workspace_id: str, manifest: Manifest, folder: Path) -> Iterable[Download]:
    for index, data_file in enumerate(manifest.files):
        key = keys.dataset_file(workspace_id, manifest.dataset_id, data_file.sha256)
        yield Download(key=key, path=folder / f"part-{index:05d}.parquet", data_file=data_file)


def _run(lake: BlobStore, downloads: list[Download]) -> None:
    num_bytes = sum(download.data_file.num_bytes for download in downloads)
    _log.info("downloading %d files, %.1f MB", len(downloads), num_bytes / 1e6)
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        futures = [pool.submit(_download, lake, download) for download in downloads]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _download(lake: BlobStore, download: Download) -> None:
    try:
        lake.download(download.key, download.path)
    except BlobNotFoundError as error:
        raise InvalidDataError(
            f"The data file {download.data_file.sha256} of the dataset is gone. Upload the dataset again."
        ) from error
    found = sha256_of(download.path)
    if found != download.data_file.sha256:
        raise InvalidDataError(
            f"The data file {download.data_file.sha256} of the dataset is damaged: its SHA-256 is {found}. "
            "Upload the dataset again."
        )
