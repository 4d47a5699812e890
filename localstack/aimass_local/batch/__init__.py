"""AWS Batch that really runs its jobs, each container as a process group of this machine."""

from aimass_local.batch.containers import Image
from aimass_local.batch.errors import TaskFailedError
from aimass_local.batch.service import BatchService

__all__ = ["BatchService", "Image", "TaskFailedError"]
