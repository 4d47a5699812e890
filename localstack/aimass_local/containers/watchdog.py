"""Ends the containers of a server that has died without ending them; run as a script, with nothing but this file.

The server writes `+<group>` and `-<group>` lines into a pipe as process groups begin and end. When the server dies,
however it dies, the pipe closes and every group that is left is killed. Unlike a parent-death signal this reaches
grandchildren, needs no wrapper around each command, and works wherever there are pipes.
"""

import os
import signal
import sys


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
