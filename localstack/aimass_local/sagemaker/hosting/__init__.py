"""SageMaker hosting: models, endpoint configurations and endpoints, whose containers really answer."""

from aimass_local.sagemaker.hosting.service import Hosting

__all__ = ["Hosting"]
