"""EMR Serverless that really runs its jobs: each by spark-submit, as a process group of this machine."""

from aimass_local.emr_serverless.service import EmrServerlessService

__all__ = ["EmrServerlessService"]
