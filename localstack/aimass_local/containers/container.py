"""Containers: a command in a process group of its own, with its own working and temporary folders.

What a real container has beyond that, this machine does not give: no file system of its own, no users, no network
name space.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aimass_local.containers import processes
from aimass_local.containers.logs import LogPump

# A socket's path may have 104 bytes on macOS and 108 on Linux, and Python's multiprocessing puts sockets 33 deep.
_MAX_TEMPORARY_PATH = 104 - 34
_CANNOT_START = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What stands for a container image on this machine.

    Attributes:
        python: the interpreter that a command beginning with `python` gets; its folder is first in PATH.
        cwd: the image's own folder, which its Python can import from. A container itself starts in an empty folder,
            because what a container writes never reaches its image.
        env: variables of the image.
        programs: what the image has in its PATH beside its Python, as arguments of that.
    """

    python: Path
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """What one container may write to: `root` with `ml` (its /opt/ml) and `work` below it, and `temporary`."""

    root: Path
    temporary: Path

    @property
    def ml(self) -> Path:
        return self.root / "ml"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def remove(self) -> None:
        """Blocks. Idempotent."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(self.temporary, ignore_errors=True)


class StartError(Exception):
    """The container could not be started; the text is the reason that AWS shows."""

    def __init__(self, reason: str, *, exit_code: int | None = None) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


def find_image(images: Mapping[str, Image], name: str) -> Image:
    """The first of `images` whose glob matches.

    Raises:
        StartError: none does.
    """
    for pattern, image in images.items():
        if fnmatch.fnmatchcase(name, pattern):
            return image
    known = ", ".join(images) or "none"
    raise StartError(f"CannotPullContainerError: this machine has no image {name!r}; it has: {known}")


def make_folders(run_folder: Path) -> Folders:
    """Folders for one container below `run_folder`, readable by this user only."""
    root = run_folder / secrets.token_hex(4)
    temporary = root / "tmp"
    folders = Folders(root=root, temporary=temporary)
    folders.work.mkdir(parents=True, mode=0o700)
    folders.ml.mkdir(mode=0o700)
    if len(os.fsencode(temporary)) > _MAX_TEMPORARY_PATH:
        return Folders(root=root, temporary=Path(tempfile.mkdtemp(prefix="aimass-", dir="/tmp")))
    temporary.mkdir(mode=0o700)
    return folders


def read_images(path: Path) -> dict[str, Image]:
    """The images that a JSON file names: `{"*my-image*": "/path/to/environment/bin/python"}`; none without a file.

    Raises:
        OSError: the file does not say that; the text names it.
    """
    if not path.exists():
        return {}
    try:
        images = {str(pattern): Image(python=Path(python)) for pattern, python in json.loads(path.read_text()).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise OSError(f"{path} has to map globs over image names to Python interpreters: {error}") from error
    missing = [str(image.python) for image in images.values() if not image.python.is_file()]
    if missing:
        raise OSError(f"{path} names interpreters that do not exist: {', '.join(missing)}")
    return images


class Container:
    """A started command and everything that came of it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pump: LogPump,
        *,
        folders: Folders,
        memory_mib: int,
        watchdog: processes.Watchdog,
    ) -> None:
        self.memory_mib = memory_mib
        self.is_out_of_memory = False
        self._process = process
        self._pump = pump
        self._folders = folders
        self._watchdog = watchdog

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        image: Image,
        environment: Mapping[str, str],
        folders: Folders,
        pump: LogPump,
        memory_mib: int,
        ulimits: Mapping[str, tuple[int, int]],
        watchdog: processes.Watchdog,
    ) -> Container:
        """Starts `command` (an argument list, never a shell's).

        Args:
            folders: from `make_folders`; they are removed when the container has ended or cannot be started.
            ulimits: soft and hard limit by name, such as `nproc`; kept on Linux, as far as this user may.

        Raises:
            StartError: there is no such command, or the system refuses it.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *_resolve_command(command, image),
                cwd=folders.work,
                env=_build_environment(environment, image, folders),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pump.writing_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            pump.abandon()
            folders.remove()
            reason = f"CannotStartContainerError: exec {command[0] if command else ''!r}: {error}"
            raise StartError(reason, exit_code=_CANNOT_START) from error
        watchdog.watch(process.pid)
        processes.limit(process.pid, ulimits)
        pump.start()
        return cls(process, pump, folders=folders, memory_mib=memory_mib, watchdog=watchdog)

    async def wait(self) -> int:
        """The exit code of the first process, 128 + n if signal n killed it."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    async def stop(self, *, grace_seconds: float) -> None:
        """SIGTERM to the first process, as `docker stop`; when the grace has passed SIGKILL to all."""
        if self._process.returncode is None and grace_seconds > 0:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_seconds)
        await asyncio.to_thread(processes.kill_container, self._folders.root, session=self._process.pid)
        await self._process.wait()

    def kill_for_memory(self) -> None:
        self.is_out_of_memory = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def is_over_memory(self) -> bool:
        """Whether the container holds more than it asked for. Blocks for some milliseconds."""
        if self._process.returncode is not None or processes.measure_memory_mib(self._process.pid) <= self.memory_mib:
            return False
        return processes.measure_exact_memory_mib(self._process.pid) > self.memory_mib

    async def clean_up(self) -> None:
        """Ends what the command left running, delivers the rest of the log, and removes the folders."""
        await self.stop(grace_seconds=0)
        self._watchdog.forget(self._process.pid)
        await self._pump.finish()
        await asyncio.to_thread(self._folders.remove)


def _resolve_command(command: Sequence[str], image: Image) -> list[str]:
    if not command:
        raise FileNotFoundError("the job names no command, and images on this machine have no default one")
    if command[0] in ("python", "python3"):
        return [str(image.python), *command[1:]]
    if command[0] in image.programs:
        return [str(image.python), *image.programs[command[0]], *command[1:]]
    return list(command)


def _build_environment(environment: Mapping[str, str], image: Image, folders: Folders) -> dict[str, str]:
    built = {
        "PATH": os.defpath,
        "PYTHONUNBUFFERED": "1",
        # A container has an /opt/ml of its own (SageMaker's layout); here this variable moves it.
        "SAGEMAKER_BASE_DIR": str(folders.ml),
        **environment,
        "TMPDIR": str(folders.temporary),
        processes.MARKER: str(folders.root),
    }
    built["PATH"] = f"{image.python.parent}{os.pathsep}{built['PATH']}"
    if image.cwd:
        built["PYTHONPATH"] = os.pathsep.join(filter(None, (str(image.cwd), built.get("PYTHONPATH"))))
    return built
