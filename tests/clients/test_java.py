"""A Java client that OpenAPI Generator makes. Jackson, which it reads JSON with, comes from the generator's archive."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.automl.environments import NotInstalledError, Peer
from tests.clients import told
from tests.stack import Stack

PROGRAM = Path(__file__).parent / "java"
# Of machines that run for seconds.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


@pytest.mark.slow
def test_generated_client_compiles_and_works(deployed: str, stack: Stack, document: Path, tmp_path: Path) -> None:
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        pytest.skip("There is no Java here: install a JDK, such as Debian's default-jdk-headless")
    try:
        python = Peer(name="generated-java", requirements=("openapi-generator-cli==7.26.0",)).install()
    except NotInstalledError as error:
        pytest.skip(str(error))
    (archive,) = python.parents[1].glob("lib/*/site-packages/openapi_generator_cli/openapi-generator.jar")
    configuration = ["--config", str(PROGRAM / "generator.json"), "--template-dir", str(PROGRAM / "templates")]
    place = ["--input-spec", str(document), "--output", str(tmp_path / "client")]
    _run(java, *_QUICK, "-jar", str(archive), "generate", *configuration, *place)
    sources = [*(tmp_path / "client" / "src" / "main").rglob("*.java"), PROGRAM / "Client.java"]
    arguments = tmp_path / "sources.txt"
    arguments.write_text("\n".join(map(str, sources)))
    classes, options = tmp_path / "classes", [f"-J{option}" for option in _QUICK]
    _run(javac, *options, "-proc:none", "-cp", str(archive), "-d", str(classes), f"@{arguments}")
    printed = _run(java, *_QUICK, "-cp", f"{archive}:{classes}", "Client", stack.url, stack.api_key, deployed)
    told.check(printed, created="generated-classes")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout
