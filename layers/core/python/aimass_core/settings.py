"""Runtime settings: each field is one environment variable, and CDK builds the variables from the same classes.

Nothing is read at import: `bootstrap` reads them once, when a handler starts.
"""

from pydantic_settings import BaseSettings, SettingsConfigDict


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="AIMASS_", frozen=True, extra="ignore")


class StorageSettings(_Settings):
    """Every function and every container."""

    registry_table: str
    landing_bucket: str
    lake_bucket: str


class AuthorizerSettings(_Settings):
    """functions/authorizer."""

    registry_table: str


class ApiSettings(StorageSettings):
    """functions/api."""

    idempotency_table: str
    cursor_secret_name: str
    ingest_queue_url: str
    # Stopping a job calls the compute service at once.
    job_queue: str
    job_definition: str
    job_log_group: str = "/aws/batch/job"
    # Of each workspace.
    max_jobs_active: int = 1_000
    max_jobs_per_10_seconds: int = 50


class IngestSettings(StorageSettings):
    """functions/ingest. Files above `max_lambda_bytes` become a prepare job."""

    ingest_queue_url: str
    max_lambda_bytes: int = 100 * 1024**2


class DispatchSettings(StorageSettings):
    """functions/dispatch."""

    job_queue: str
    job_definition: str
    predictions_function: str


class JobEventsSettings(StorageSettings):
    """functions/job_events. A container that runs on for a job that has ended is stopped."""

    job_queue: str
    job_definition: str


class ReconcilerSettings(DispatchSettings):
    """functions/reconciler."""

    ingest_queue_url: str


class PredictionsSettings(_Settings):
    """functions/predictions."""

    registry_table: str
    lake_bucket: str
    endpoint_ttl_seconds: float = 2.0


class ContainerSettings(StorageSettings):
    """batch_jobs: what the job definition and dispatch give to every container."""

    workspace_id: str
    job_id: str
    ingest_queue_url: str | None = None
