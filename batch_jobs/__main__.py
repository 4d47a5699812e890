"""`python -m batch_jobs <kind>`: the command of every job container; `python -m batch_jobs serve`: of a serving one."""

import gc
import logging
import os
import sys


def _main(arguments: list[str]) -> int:
    # NOTE: neither brings along what only the other needs: a server has no AWS library in memory.
    if arguments[:1] == ["serve"]:
        from batch_jobs.serve import command

        return command.main(arguments[1:])
    from batch_jobs.runtime import lifecycle

    return lifecycle.main(arguments)


if __name__ == "__main__":
    # Most of what a container makes at first are modules, which stay: Python's own thresholds would look through them
    # again and again, for a tenth of the time until the job begins.
    gc.set_threshold(50_000, 20, 20)
    code = _main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # NOTE: the code says whether there is another attempt, and native libraries that are torn down with connections
    # to lost machines end in SIGSEGV instead.
    os._exit(code)
