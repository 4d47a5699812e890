"""Brings the registered models of a job to where its code reads them: as they were registered, or not at all."""

import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aimass_core.domain.models import ArtifactName
from aimass_core.errors import InvalidDataError
from aimass_core.ports import BlobNotFoundError, BlobStore
from batch_jobs.runtime.storage.digests import sha256_of

_NUM_THREADS = 8
_ROLE = re.compile(r"parent|single|predictor|member-[1-9][0-9]*")
_log = logging.getLogger(__name__)


def is_model(source: Mapping[str, Any]) -> bool:
    """Whether an entry of `inputdataconfig.json` is a model: a channel names the manifest of a dataset version."""
    return "files" in source


def download_models(lake: BlobStore, sources: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, Path]:
    """Downloads every model of `inputdataconfig.json`, and checks each file's SHA-256.

    Returns:
        The folder of each role.

    Raises:
        InvalidDataError: A file is gone, or is not the one that was registered (FAULTS F8).
    """
    models = {role: folder / role for role in sources}
    for path in models.values():
        path.mkdir(parents=True, exist_ok=True)

    def download(role: str, name: str) -> None:
        source = sources[role]
        _download(lake, str(source["model"]), source["files"][name], models[role] / name)

    files = [(role, name) for role, source in sources.items() for name in source["files"]]
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        list(pool.map(lambda file: download(*file), files))
    if models:
        _log.info("models: %s", ", ".join(f"{role} is {sources[role]['model']}" for role in models))
    return models


def divide_folders(folders: Mapping[str, Path]) -> tuple[dict[str, Path], dict[str, Path]]:
    """Channels and models among what SageMaker has put there: a model has the name of a role, and holds a graph."""
    models = {
        name: path for name, path in folders.items() if _ROLE.fullmatch(name) and (path / ArtifactName.MODEL).is_file()
    }
    return {name: path for name, path in folders.items() if name not in models}, models


def _download(lake: BlobStore, model: str, file: Mapping[str, str], path: Path) -> None:
    try:
        lake.download(file["key"], path)
    except BlobNotFoundError as error:
        raise InvalidDataError(
            f"{path.name} of the model version {model} is gone. Submit a new job on a version that exists."
        ) from error
    found = sha256_of(path)
    if found != file["sha256"]:
        raise InvalidDataError(
            f"{path.name} of the model version {model} was replaced after it was registered: its SHA-256 is {found}, "
            f"not {file['sha256']}. Submit a new job on another version, and see who can write to the lake."
        )
