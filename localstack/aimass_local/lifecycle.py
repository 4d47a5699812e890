"""Starts, finds, stops and removes the local cloud of a data directory."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from aimass_local import admin_keys, deployment, lock, ports, profiles
from aimass_local.admin_keys import AdminKey
from aimass_local.environment import HOST, REPOSITORY, DataDirectory, endpoint_url, server_environment
from aimass_local.gateway import HEALTH_PATH, SAVE_PATH
from aimass_local.state import write_atomically

TEMPLATE_DIR = REPOSITORY / "infra" / "cdk" / "template"
DROP_BUCKET_OUTPUT = "LandingBucketName"

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.02
_MAX_LOG_BYTES = 10 * 1024 * 1024


class LifecycleError(Exception):
    """The local cloud cannot be started or stopped; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A local cloud that answers."""

    pid: int
    port: int
    data: DataDirectory
    outputs: Mapping[str, str]

    @property
    def url(self) -> str:
        return endpoint_url(self.port)

    @property
    def drop_folder(self) -> str:
        bucket = self.outputs.get(DROP_BUCKET_OUTPUT)
        return f"s3://{bucket}/drop/{admin_keys.WORKSPACE}/" if bucket else "not deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What `up` did. The first key is not in the SDK's profile yet: see `remember`."""

    running: Running
    was_running: bool
    first_key: AdminKey | None
    """Where this start made the first workspace."""
    is_known: bool
    """Whether the SDK's profile holds a key of this local cloud."""
    # The server's process when it runs in the foreground.
    process: subprocess.Popen[bytes] | None


def up(
    data: DataDirectory,
    *,
    port: int,
    config_path: Path,
    foreground: bool = False,
    vcpus: int | None = None,
    template_dir: Path = TEMPLATE_DIR,
    report: Callable[[str], None] = lambda _step: None,
) -> Started:
    """Starts the server if it is not running, deploys what changed, and makes the first workspace once.

    `vcpus` is what the containers of jobs may reserve together, of a server that this starts.

    Raises:
        LifecycleError: the port or the data directory is taken, or the server does not come up.
        deployment.DeploymentError: a stack failed; the server keeps running.
        profiles.ProfileError: the SDK's configuration cannot be read.
    """
    holder = lock.find_holder(data.lock_path)
    process = None
    if holder is None:
        report("starting the server")
        process = start(data, port=port, foreground=foreground, vcpus=vcpus)
        pid = process.pid
    else:
        pid, port = holder.pid, holder.port
        if not _is_healthy(port, pid):
            raise LifecycleError(
                f"process {pid} holds {data.root} but does not answer on port {port}: `aimass local down`"
            )
    report("deploying")
    outputs = deployment.deploy(template_dir, repository=REPOSITORY, port=port)
    write_atomically(data.outputs_path, json.dumps(outputs, indent=2).encode())
    running = Running(pid=pid, port=port, data=data, outputs=outputs)
    first_key = None
    if data.first_run_path.exists():
        is_known = _refresh(running, config_path=config_path)
    else:
        first_key = _run_first_time(running, config_path=config_path, report=report)
        is_known = first_key is not None
    save(running.port)
    return Started(
        running=running,
        was_running=holder is not None,
        first_key=first_key,
        is_known=is_known,
        process=process if foreground else None,
    )


def start(
    data: DataDirectory, *, port: int, foreground: bool = False, vcpus: int | None = None
) -> subprocess.Popen[bytes]:
    """Starts the server process and waits until it answers; deploys nothing.

    Raises:
        LifecycleError: the port or the data directory is taken, or the server does not come up.
    """
    try:
        data.create()
    except OSError as error:
        raise LifecycleError(
            f"cannot make the data directory {data.root}: {error.strerror or error}; choose another with --data-dir"
        ) from error
    try:
        ports.require_free(port)
    except ports.PortTakenError as error:
        raise LifecycleError(str(error)) from error
    command = [sys.executable, "-m", "aimass_local.server", "--port", str(port), "--data-dir", str(data.root)]
    command += [] if vcpus is None else ["--vcpus", str(vcpus)]
    environment = server_environment(data, port=port)
    _rotate_log(data)
    with data.log_path.open("ab") as log:
        output = None if foreground else log
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # In the foreground too: Ctrl-C reaches the server through `aimass local up`, once.
            start_new_session=True,
        )
    _wait_until_ready(data, port=port, process=process)
    return process


def remember(running: Running, key: AdminKey, *, config_path: Path) -> None:
    """Puts the key into the SDK's profile.

    Raises:
        profiles.ProfileError: the file cannot be written; the key is valid all the same.
    """
    drop_bucket = running.outputs.get(DROP_BUCKET_OUTPUT, "")
    profiles.write(config_path, port=running.port, api_key=key.secret, drop_bucket=drop_bucket)


def make_key(running: Running, *, config_path: Path) -> AdminKey:
    """Another admin key of the first workspace, where the one that the first start has shown is lost.

    Raises:
        profiles.ProfileError: the SDK's configuration cannot be read.
        NotFoundError: the first workspace was deleted.
    """
    profiles.require_readable(config_path)  # before the key is made, which is shown once
    key = admin_keys.create_another_key(running.outputs, port=running.port)
    _mark(running.data, key)
    return key


def find(data: DataDirectory) -> Running | None:
    """The local cloud of this data directory, or None when it is not running."""
    holder = lock.find_holder(data.lock_path)
    if holder is None:
        return None
    return Running(pid=holder.pid, port=holder.port, data=data, outputs=_read_outputs(data))


def is_healthy(running: Running) -> bool:
    """Whether the process that holds the data directory is the one that answers on its port."""
    return _is_healthy(running.port, running.pid)


def save(port: int) -> None:
    """Has the server write its state now: after a deployment that was reported as done, not even a kill may lose it.

    Raises:
        LifecycleError: the state could not be written.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request("POST", SAVE_PATH)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise LifecycleError(f"the state could not be saved (HTTP {status}): see `aimass local logs`")


def down(data: DataDirectory, *, grace_seconds: float = _STOP_SECONDS) -> int | None:
    """Stops the server, with its state saved; kills it if it does not end within the grace time.

    Returns:
        The pid that was stopped, or None when nothing was running.
    """
    holder = lock.find_holder(data.lock_path)
    process = holder.process() if holder else None
    if process is None:
        return None
    try:
        process.terminate()
        process.wait(timeout=grace_seconds)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(timeout=grace_seconds)
    except psutil.NoSuchProcess:
        pass
    return process.pid


def reset(data: DataDirectory) -> None:
    """Stops the server and removes everything it knows."""
    down(data)
    shutil.rmtree(data.root, ignore_errors=False)


def _rotate_log(data: DataDirectory) -> None:
    if data.log_path.exists() and data.log_path.stat().st_size > _MAX_LOG_BYTES:
        data.log_path.replace(data.log_path.with_name("server.log.1"))


def _wait_until_ready(data: DataDirectory, *, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LifecycleError(f"the server ended with exit code {process.returncode}:\n{_log_tail(data)}")
        if _is_healthy(port, process.pid):
            return
        time.sleep(_POLL_SECONDS)
    process.kill()
    raise LifecycleError(f"the server was not ready within {_READY_SECONDS:.0f} s:\n{_log_tail(data)}")


def _is_healthy(port: int, pid: int) -> bool:
    health = _get_health(port)
    return health is not None and health.get("pid") == pid


def _get_health(port: int) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", HEALTH_PATH)
        health: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return health


def _run_first_time(running: Running, *, config_path: Path, report: Callable[[str], None]) -> AdminKey | None:
    """Makes the first workspace unless there is one."""
    profiles.require_readable(config_path)  # before the key is made, which is shown once
    report("creating the first workspace")
    key = admin_keys.create_first_workspace(running.outputs, port=running.port)
    _mark(running.data, key)
    return key


def _mark(data: DataDirectory, key: AdminKey | None) -> None:
    write_atomically(data.first_run_path, profiles.digest_of(key.secret).encode() if key else b"")


def _refresh(running: Running, *, config_path: Path) -> bool:
    drop_bucket = running.outputs.get(DROP_BUCKET_OUTPUT, "")
    digest = running.data.first_run_path.read_text()
    return profiles.refresh(config_path, port=running.port, key_digest=digest, drop_bucket=drop_bucket)


def _read_outputs(data: DataDirectory) -> dict[str, str]:
    try:
        outputs: dict[str, str] = json.loads(data.outputs_path.read_text())
    except FileNotFoundError:
        return {}
    return outputs


def _log_tail(data: DataDirectory, num_lines: int = 15) -> str:
    if not data.log_path.exists():
        return "(no log)"
    with data.log_path.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 16_384))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-num_lines:])
