"""Checks everything the local cloud needs from this machine, and says how to mend what is missing."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from aimass_local import lock, ports
from aimass_local.environment import REPOSITORY, DataDirectory

MIN_FREE_BYTES = 2 * 1024**3
_MIN_PYTHON = (3, 11)
# The emulator is patched in one package, and pins botocore itself.
_PINNED_PACKAGES = {"ministack": "1.5.33", "hypercorn": "0.18.0", "botocore": "1.43.106"}
_PACKAGES = (
    "boto3",
    "aws-lambda-powertools",
    "pydantic",
    "pydantic-settings",
    "pyarrow",
    "numpy",
    "onnxruntime",
    "psutil",
)
_EARLIEST_SENSIBLE_TIME = 1_767_225_600  # 2026-01-01: a clock before it breaks signatures and expiry times


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; `fix` says what to do when it is not well."""

    name: str
    is_well: bool
    found: str
    fix: str = ""


def diagnose(data: DataDirectory, *, port: int, now: Callable[[], float] = time.time) -> list[Check]:
    """All checks, in the order in which one would mend them."""
    return [
        _check_platform(),
        _check_python(),
        *_check_packages(),
        _check_templates(),
        _check_data_directory(data),
        _check_disk(data),
        _check_port(data, port),
        _check_processes(data),
        _check_clock(now()),
    ]


def _check_platform() -> Check:
    return Check(
        name="platform",
        is_well=os.name == "posix",
        found=sys.platform,
        fix="the local cloud needs Linux or macOS; on Windows use WSL 2",
    )


def _check_python() -> Check:
    return Check(
        name="python",
        is_well=sys.version_info[:2] >= _MIN_PYTHON,
        found=f"{sys.version.split()[0]} ({sys.executable})",
        fix=f"use Python {_MIN_PYTHON[0]}.{_MIN_PYTHON[1]} or newer",
    )


def _check_packages() -> Iterator[Check]:
    for name, wanted in {**_PINNED_PACKAGES, **dict.fromkeys(_PACKAGES, "")}.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Check(name=name, is_well=False, found="not installed", fix="make setup")
            continue
        is_well = not wanted or installed == wanted
        yield Check(name=name, is_well=is_well, found=installed, fix=f"pip install {name}=={wanted}" if wanted else "")


def _check_templates() -> Check:
    folder = REPOSITORY / "infra" / "cdk" / "template"
    num_stacks = len(list(folder.glob("*.template.json")))
    return Check(
        name="templates",
        is_well=num_stacks > 0 and (folder / "assets.json").exists(),
        found=f"{num_stacks} stacks in {folder}",
        fix="check out the repository completely, or run `make synth`",
    )


def _check_data_directory(data: DataDirectory) -> Check:
    existing = _nearest_existing(data.root)
    return Check(
        name="data directory",
        is_well=existing.is_dir() and os.access(existing, os.W_OK | os.X_OK),
        found=str(data.root),
        fix=f"make {existing} writable for you, or choose another with --data-dir",
    )


def _check_disk(data: DataDirectory) -> Check:
    free = shutil.disk_usage(_nearest_existing(data.root)).free
    return Check(
        name="disk",
        is_well=free >= MIN_FREE_BYTES,
        found=f"{free / 1024**3:.1f} GB free",
        fix=f"free at least {MIN_FREE_BYTES // 1024**3} GB, or choose another disk with --data-dir",
    )


def _check_port(data: DataDirectory, port: int) -> Check:
    holder = lock.find_holder(data.lock_path) if data.lock_path.exists() else None
    if holder and holder.port == port:
        return Check(name="port", is_well=True, found=f"{port} is ours (process {holder.pid})")
    try:
        ports.require_free(port)
    except ports.PortTakenError as error:
        return Check(name="port", is_well=False, found=str(error), fix="stop that process, or use --port")
    return Check(name="port", is_well=True, found=f"{port} is free")


def _check_processes(data: DataDirectory) -> Check:
    """Lambda workers end with their server; one that is left over is stuck in its handler."""
    stale = [
        process.pid
        for process in psutil.process_iter(["cmdline", "ppid"])
        if any(str(data.scratch) in argument for argument in process.info["cmdline"] or ())
        and process.info["ppid"] == 1
    ]
    return Check(
        name="processes",
        is_well=not stale,
        found="no stale process" if not stale else f"left over: {stale}",
        fix=f"kill {' '.join(map(str, stale))}",
    )


def _check_clock(now: float) -> Check:
    return Check(
        name="clock",
        is_well=now > _EARLIEST_SENSIBLE_TIME,
        found=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)),
        fix="set the clock: signatures and expiry times depend on it",
    )


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
