"""What an attempt leaves in the lake: its artifacts in parallel, and `result.json` or `failure.json` last."""

import logging
import mimetypes
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.jobs import Artifact, Failure, FailureRecord, JobResult
from aimass_core.errors import InternalError
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.fence import Fence
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.runtime.storage.folders import Folders, list_files

_NUM_THREADS = 8
_FAILURE = "failure.json"
_log = logging.getLogger(__name__)


def upload_result(fence: Fence, folders: Folders, metrics: Mapping[str, float]) -> JobResult:
    """Uploads `model/`, `parts/` and `output/`, then the result that names them, if this attempt may still write.

    Raises:
        SupersededError: it may not; then there is no result.
    """
    artifacts = _upload_all(fence, {"model": folders.model, "parts": folders.parts, "output": folders.output})
    result = JobResult(job_id=fence.job_id, attempt=fence.attempt, artifacts=artifacts, metrics=dict(metrics))
    fence.check()
    _put(fence, "result.json", result.model_dump_json(indent=1))
    _log.info("left %d artifacts, %.1f MB", len(artifacts), sum(each.num_bytes for each in artifacts) / 1e6)
    return result


def upload_failure(fence: Fence, folders: Folders, failure: Failure) -> None:
    """Records why the attempt failed, and then what it left in `output/` even so: the table of a compression that found
    nothing within its limits, say. An interrupted one has nothing to tell.

    Raises:
        SupersededError: it may not write.
    """
    fence.check()
    _put(fence, _FAILURE, FailureRecord(**failure.model_dump()).model_dump_json(indent=1))
    if failure.exit_code == ExitCode.INTERRUPTED:
        return
    if artifacts := _upload_all(fence, {"output": folders.output}):
        fence.check()
        _put(fence, _FAILURE, FailureRecord(**failure.model_dump(), artifacts=artifacts).model_dump_json(indent=1))


def _upload_all(fence: Fence, sources: Mapping[str, Path]) -> list[Artifact]:
    """Every file of some folders, in parallel."""
    files = {f"{name}/{inner}": path for name, folder in sources.items() for inner, path in list_files(folder)}
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        return list(pool.map(lambda name: _upload(fence, name, files[name]), sorted(files)))


def _upload(fence: Fence, name: str, path: Path) -> Artifact:
    artifact = Artifact(name=name, num_bytes=path.stat().st_size, sha256=sha256_of(path))
    key = keys.job_attempt(fence.workspace_id, fence.job_id, fence.attempt, name)
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    info = fence.ports.lake.upload(path, key, content_type=content_type)
    if info.num_bytes != artifact.num_bytes or info.sha256 not in (None, artifact.sha256):
        raise InternalError(f"The artifact {name} changed while it was uploaded. Retry the job.")
    return artifact


def _put(fence: Fence, name: str, body: str) -> None:
    key = keys.job_attempt(fence.workspace_id, fence.job_id, fence.attempt, name)
    fence.ports.lake.put(key, body.encode(), content_type="application/json")
