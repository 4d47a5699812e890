"""SageMaker Training that really runs its jobs, each container as a process group of this machine."""

from aimass_local.sagemaker.service import SageMakerService

__all__ = ["SageMakerService"]
