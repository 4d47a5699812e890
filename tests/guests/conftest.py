"""AWS's own software as a guest of the local cloud, in an environment of its own: `make test-sagemaker`.

Its Python stands for the guest's image, by images.json.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimass_local import lifecycle
from aimass_local.environment import HOST, REPOSITORY, DataDirectory, client_environment
from tests.integration.local.conftest import free_port
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud
from tests.integration.local_sagemaker.guest_image import write_guest_image
from tests.sockets import allow_hosts

PROGRAMS = Path(__file__).parent / "programs"
GUEST = REPOSITORY / ".venv-sagemaker/bin/python"
IMAGE = "guests/training:1"
SERVING_IMAGE = "guests/echo:1"
ROLE = "arn:aws:iam::000000000000:role/training"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, [HOST])


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if not GUEST.exists():
        pytest.skip("the guests are not installed: make test-sagemaker")
    data = DataDirectory.at(tmp_path_factory.mktemp("guests"))
    data.create()
    serving = write_guest_image(data.root / "image")["guests/*"]
    data.images_path.write_text(json.dumps({SERVING_IMAGE: serving, "guests/*": str(GUEST)}))
    port = free_port()
    process = lifecycle.start(data, port=port)
    started = Cloud(data=data, port=port)
    try:
        started.s3.create_bucket(Bucket=BUCKET)
        yield started
    finally:
        lifecycle.down(data)
        process.wait()


def run_guest(cloud: Cloud, program: str, *arguments: str, folder: Path) -> dict[str, Any]:
    """Runs a program of the guest as a client of the cloud; the last line that it prints is its answer in JSON."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        # The SDK would ask IAM whether the role may do what it needs.
        "SAGEMAKER_VALIDATE_ROLE": "false",
        **client_environment(cloud.port),
    }
    done = subprocess.run(
        [str(GUEST), str(PROGRAMS / program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
