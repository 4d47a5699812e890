"""Reads what a program says: a Python collector, or any program that speaks Singer or Airbyte."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aimass_core.domain.collector_messages import Note, parse
from aimass_core.domain.collectors import PythonCollector, SingerCollector
from aimass_core.domain.job_sources import REQUIREMENTS
from batch_jobs.collect.processes import run_lines, without
from batch_jobs.collect.reading import Item, Reading
from batch_jobs.collect.states import AIRBYTE, SINGER
from batch_jobs.runtime.failures import UserCodeError
from batch_jobs.script import source, variables
from batch_jobs.script.processes import find_user, give


def read(
    collector: PythonCollector | SingerCollector, packed: Path, reading: Reading, *, max_seconds: float | None = None
) -> Iterator[Item]:
    """The messages of the program of an unpacked package."""
    folder = reading.work_path / "program"
    code, packages = folder / "code", folder / "packages"
    source.unpack(packed, code)
    packages.mkdir()
    _install(code, packages)
    secrets: list[str] = []

    def keep(name: str, **options: bool) -> str:
        secrets.append(reading.secret(name, **options))
        return secrets[-1]

    resolving = Reading(network=reading.network, work_path=reading.work_path, secret=keep)
    config = resolving.resolve(collector.config)
    arguments = ["--config", str(_write(folder / "config.json", config))]
    state = to_state_file(reading.state)
    if state is not None:
        arguments += ["--state", str(_write(folder / "state.json", state))]
    own = variables.kept(os.environ) | {
        "HOME": str(code),
        "PYTHONPATH": f"{code}:{packages}",
        "PYTHONUNBUFFERED": "1",
    }
    lines = run_lines(
        [*_to_command(collector, reading), *arguments],
        cwd=code,
        variables=own,
        given=[folder],
        secrets=secrets,
        max_seconds=max_seconds,
    )
    try:
        for line in lines:
            for message in parse(line):
                yield from _take(message, reading, secrets)
    finally:
        lines.close()  # type: ignore[attr-defined]  # it is a generator
        shutil.rmtree(folder, ignore_errors=True)


def to_state_file(state: Any) -> Any:
    """What a program gets as its state: Singer's value, or Airbyte's list of the states of streams."""
    if state.get(SINGER) is not None:
        return state[SINGER]
    if state.get(AIRBYTE):
        return [
            {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": value}}
            for name, value in state[AIRBYTE].items()
        ]
    return None


def _take(message: Any, reading: Reading, secrets: Sequence[str]) -> Iterator[Item]:
    if not isinstance(message, Note):
        if not hasattr(message, "stream") or message.stream is None or reading.wants(message.stream):
            yield message
        return
    text = without(message.text, secrets)
    if message.is_error:
        raise UserCodeError(f"The collector's program says: {text}", code="collector_failed")
    reading.note(text)


def _to_command(collector: PythonCollector | SingerCollector, reading: Reading) -> list[str]:
    if isinstance(collector, SingerCollector):
        return list(collector.command)
    streams = [] if reading.streams is None else [f"--stream={name}" for name in sorted(reading.streams)]
    return [sys.executable, "-u", "-m", "aimass.collect", collector.entry_point, *streams]


def _install(code: Path, packages: Path) -> None:
    """Into a folder of the run's own."""
    missing = source.missing_requirements(code)
    if not missing:
        return
    wanted = code / f".missing-{REQUIREMENTS}"
    wanted.write_text("\n".join(missing) + "\n", "utf-8")
    options = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(packages), "-r", str(wanted)]
    user = find_user(code)
    give(user, code, packages)
    done = subprocess.run(
        command, cwd=code, env=variables.for_pip(os.environ), capture_output=True, text=True, check=False, user=user
    )
    if done.returncode:
        told = next((line for line in done.stderr.splitlines() if "ERROR" in line), done.stderr.strip()[-300:])
        raise UserCodeError(
            f"The collector's requirements could not be installed: {told.removeprefix('ERROR: ')[:500]} "
            f"Check {REQUIREMENTS}, and whether the container can reach a package index.",
            code="requirements_failed",
            output=done.stderr[-4_000:],
        )


def _write(path: Path, value: Any) -> Path:
    """For the eyes of the program only: there may be secrets in it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
    return path
