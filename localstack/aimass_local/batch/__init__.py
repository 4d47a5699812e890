"""AWS Batch that really runs its jobs, each container as a process group of this machine."""

from aimass_local.batch.errors import TaskFailedError
from aimass_local.batch.service import BatchService
from aimass_local.containers import Image

__all__ = ["BatchService", "Image", "TaskFailedError"]
