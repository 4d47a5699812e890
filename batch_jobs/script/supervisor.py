"""The first process of a script's tree: `python -I -S supervisor.py COMMAND...`. Nothing outlives it.

It leads a process group of its own, adopts what its descendants leave behind (Linux), hands SIGTERM on, and when the
command has ended, or whoever started it is gone, kills all that is left. Its exit code is the command's, 128 + n where
signal n killed that. Only the standard library, since it runs in the script's environment.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAX_SWEEPS = 1_000


def main(command: list[str]) -> int:
    """Runs a command to its end, and ends what it started."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # NOTE: SIGTERM is for the whole group, and this process has to be the last of it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = subprocess.Popen(command, process_group=0)
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error}\n")
        return 127
    signal.signal(signal.SIGTERM, lambda *_: _kill_group(process.pid, signal.SIGTERM))
    code = process.wait()
    _kill_group(process.pid, signal.SIGKILL)
    _kill_strays()
    return 128 - code if code < 0 else code


def _kill_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill_strays() -> None:
    """What left the group has become a child of this process: killed until none is left."""
    for _ in range(_MAX_SWEEPS):
        children = _list_children()
        for child in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0 if children else os.WNOHANG)
        except ChildProcessError:
            return


def _list_children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
