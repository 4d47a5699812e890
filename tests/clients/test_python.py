"""A Python client that openapi-python-client makes."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.automl.environments import NotInstalledError, Peer
from tests.clients import told
from tests.stack import Stack

PROGRAM = Path(__file__).parent / "python" / "client.py"


@pytest.mark.slow
def test_generated_client_works(deployed: str, stack: Stack, document: Path, tmp_path: Path) -> None:
    try:
        python = Peer(name="generated-client", requirements=("openapi-python-client==0.29.1",)).install()
    except NotInstalledError as error:
        pytest.skip(str(error))
    settings = tmp_path / "settings.yml"
    settings.write_text("post_hooks: []\n")
    generate = [str(python.with_name("openapi-python-client")), "generate", "--path", str(document)]
    generated = subprocess.run(
        [*generate, "--config", str(settings), "--output-path", str(tmp_path / "client")],
        capture_output=True,
        text=True,
        check=True,
    )
    # Other media types than JSON are for other clients; nothing else is left out.
    faults = [line for line in generated.stdout.splitlines() if line.startswith(("Unable", "Could not", "Cannot"))]
    assert faults == []
    done = subprocess.run(
        [str(python), str(PROGRAM), stack.url, stack.api_key, deployed],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "client")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told.check(done.stdout, created="generated")
