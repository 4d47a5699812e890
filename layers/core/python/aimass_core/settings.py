"""Runtime settings: each field is one environment variable, and CDK builds the variables from the same classes.

Nothing is read at import: `bootstrap` reads them once, when a handler starts.
"""

from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AIMASS_", frozen=True, extra="ignore")

    # What holds where a workspace says nothing, as JSON by subsystem and field (aimass_core.domain.settings).
    deployment_settings: dict[str, dict[str, Any]] = {}


class StorageSettings(_Settings):
    """Every function and every container."""

    registry_table: str
    studies_table: str
    landing_bucket: str
    lake_bucket: str


class AuthorizerSettings(_Settings):
    """functions/authorizer."""

    registry_table: str
    user_pool_id: str
    user_pool_client_id: str


class ComputeSettings(StorageSettings):
    """Where jobs are sent: to Batch's queues, of which `job_queue` is the first, or to SageMaker with an image and the
    role that its container has."""

    job_queue: str
    job_definition: str
    collect_job_definition: str
    transfer_job_definition: str
    multinode_job_definition: str
    training_image: str
    training_role_arn: str


class OutboundSettings(_Settings):
    """Whoever judges where notifications may go: hosts that may be reached although their address is not public
    (comma-separated), and whom e-mail comes from. Empty: nobody."""

    notification_hosts: str = ""
    mail_sender: str = ""


class ApiSettings(ComputeSettings, OutboundSettings):
    """functions/api. Stopping a job calls the compute service at once."""

    idempotency_table: str
    cursor_secret_name: str
    user_pool_id: str
    user_pool_client_id: str
    ingest_queue_url: str
    previews_function: str
    job_log_group: str = "/aws/batch/job"
    training_log_group: str = "/aws/sagemaker/TrainingJobs"
    query_workgroup: str
    # Of the installation, by short names: its functions, and its queues of what could not be processed.
    functions: dict[str, str]
    dead_letter_queues: dict[str, str]
    alarm_prefix: str


class IngestSettings(StorageSettings):
    """functions/ingest. Files above `max_lambda_bytes` become an ingest job."""

    ingest_queue_url: str
    max_lambda_bytes: int = 512 * 1024**2


class CollectorsSettings(_Settings):
    """functions/collectors, the route of webhooks."""

    registry_table: str
    landing_bucket: str


class CollectorsTickSettings(_Settings):
    """functions/collectors, its schedule."""

    registry_table: str


class DispatchSettings(ComputeSettings):
    """functions/dispatch. Containers of endpoints run the image of jobs, under a role of their own."""

    predictions_function: str
    serving_role_arn: str


class JobEventsSettings(ComputeSettings):
    """functions/job_events. A container that runs on for a job that has ended is stopped."""


class NotificationsSettings(OutboundSettings):
    """functions/notifications."""

    registry_table: str
    lake_bucket: str
    notification_queue_url: str


class ReconcilerSettings(DispatchSettings):
    """functions/reconciler."""

    notification_queue_url: str

    ingest_queue_url: str
    query_workgroup: str
    functions: dict[str, str]
    dead_letter_queues: dict[str, str]


class PredictionsSettings(_Settings):
    """functions/predictions."""

    # Itself: what is to be answered later, and each member of a distributed fusion, may have an invocation of its own.
    predictions_function: str
    registry_table: str
    lake_bucket: str
    # Of the files of the models that a process keeps loaded; each needs two to five times as much memory.
    model_cache_mib: int = 256


class ConsoleSettings(_Settings):
    """functions/console. The page sends files to the buckets and reads them, by addresses that the API has signed."""

    landing_bucket: str
    lake_bucket: str


class PreviewsSettings(_Settings):
    """functions/previews."""

    lake_bucket: str


class ContainerSettings(StorageSettings):
    """batch_jobs: what the job definition and dispatch give to every container."""

    workspace_id: str
    job_id: str
    ingest_queue_url: str | None = None
    # Recipes on more bytes of Parquet than this run on Spark, by this application of EMR Serverless, under this role.
    # Without one all run on DuckDB in the container.
    spark_above_bytes: int | None = None
    spark_application_id: str | None = None
    spark_role_arn: str | None = None


class CollectSettings(ContainerSettings):
    """batch_jobs/collect. Comma-separated: hosts that collectors may reach although their address is not public, and
    buckets that they may read."""

    collect_allowed_hosts: str = ""
    collect_buckets: str = ""
