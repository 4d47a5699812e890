"""The processes of a job's containers."""

import psutil

from aimass.resources.jobs import Job


def processes_of(job: Job) -> list[psutil.Process]:
    """Those that run now."""
    return [process for process in psutil.process_iter(["cmdline"]) if _is_of(process, job)]


def _is_of(process: psutil.Process, job: Job) -> bool:
    try:
        return "batch_jobs" in (process.info["cmdline"] or []) and process.environ().get("AIMASS_JOB_ID") == job.id
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
