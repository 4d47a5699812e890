"""A TypeScript client on types that openapi-typescript makes, with the tools of the console (`make test-clients`)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients import told
from tests.stack import Stack

PROGRAM = Path(__file__).parent / "typescript"
MODULES = Path(__file__).parents[2] / "functions" / "console" / "ui" / "node_modules"


@pytest.mark.slow
def test_generated_client_compiles_and_works(deployed: str, stack: Stack, document: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (MODULES / "openapi-typescript").is_dir():
        pytest.skip("Node or what the console is built with is missing: make test-clients brings both")
    folder = tmp_path / "client"
    shutil.copytree(PROGRAM, folder)
    (folder / "node_modules").symlink_to(MODULES)

    def run(*command: str) -> str:
        done = subprocess.run([node, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # What has a default need not be sent.
    options = ["--output", "schema.d.ts", "--default-non-nullable", "false"]
    run("node_modules/openapi-typescript/bin/cli.js", str(document), *options)
    run("node_modules/typescript/bin/tsc")
    told.check(run("build/client.js", stack.url, stack.api_key, deployed), created="generated-types")
