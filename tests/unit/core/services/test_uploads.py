"""Uploads whose client never came back."""

import hashlib

import pytest

from aimass_core.domain import keys
from aimass_core.domain.datasets import MULTIPART_THRESHOLD_BYTES, Dataset, Upload, UploadCreate, UploadStatus
from aimass_core.errors import ConflictError
from aimass_core.services import multiparts, uploads
from tests.unit.core.services.ingest.scene import Scene

BODY = b"a,b\n1,2\n"


def begin(scene: Scene, dataset: Dataset, *, num_bytes: int = len(BODY)) -> Upload:
    request = UploadCreate(file_name="x", num_bytes=num_bytes, sha256=hashlib.sha256(BODY).hexdigest())
    return uploads.create(scene.ports, scene.principal, dataset.id, request)


def test_a8_bytes_whose_event_was_lost_become_a_version() -> None:
    scene = Scene()
    dataset = scene.dataset()
    upload = begin(scene, dataset)
    scene.ports.landing.put(keys.upload_object(dataset.workspace_id, dataset.id, upload.id), BODY)
    assert uploads.expire_due(scene.ports) == 0
    scene.clock.advance(301)
    assert uploads.expire_due(scene.ports) == 1
    scene.work()
    assert scene.version(dataset, 1).num_rows == 1


@pytest.mark.parametrize(("num_bytes", "seconds"), [(8, 3_600), (MULTIPART_THRESHOLD_BYTES, 7 * 86_400)])
def test_a6_an_upload_without_bytes_expires(num_bytes: int, seconds: float) -> None:
    scene = Scene()
    dataset = scene.dataset()
    upload = begin(scene, dataset, num_bytes=num_bytes)
    scene.clock.advance(seconds)
    assert uploads.expire_due(scene.ports) == 0
    scene.clock.advance(301)
    assert uploads.expire_due(scene.ports) == 1
    found = uploads.get(scene.ports, scene.principal, dataset.id, upload.id)
    assert (found.status, found.request, found.parts) == (UploadStatus.EXPIRED, None, [])
    with pytest.raises(ConflictError, match="expired"):
        uploads.complete(scene.ports, scene.principal, dataset.id, upload.id)
    assert uploads.expire_due(scene.ports) == 0


@pytest.mark.parametrize("num_bytes", [MULTIPART_THRESHOLD_BYTES, 15 * 1024**3, 16 * 1024**3, 1024**4, 5 * 1024**4])
def test_parts_fit_what_s3_allows(num_bytes: int) -> None:
    size = multiparts.part_bytes(num_bytes)
    assert 5 * 1024**2 <= size <= 5 * 1024**3
    assert -(-num_bytes // size) <= 1_024
