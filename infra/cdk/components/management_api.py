"""The function behind /v1: every resource of the platform."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from aimass_core.settings import ApiSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.dead_letters import DEAD_LETTERS, dead_letter_variables
from infra.cdk.components.dispatch import compute_variables
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.notifications import outbound_variables
from infra.cdk.components.storage import Storage
from infra.cdk.components.user_pool import UserPool
from infra.cdk.settings import EnvironmentSettings

# API Gateway gives up after 29 s.
API_TIMEOUT = Duration.seconds(29)


class ManagementApi(PlatformFunction):
    """Signs uploads and downloads, so its role bounds what a signed URL can reach."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: FunctionDefaults,
        storage: Storage,
        settings: EnvironmentSettings,
        pool: UserPool,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="api",
            description="Management API: /v1.",
            defaults=defaults,
            memory_mib=1_024,
            timeout=API_TIMEOUT,
            environment=environment_of(
                ApiSettings,
                {
                    **storage.variables(),
                    "idempotency_table": storage.idempotency.table_name,
                    "cursor_secret_name": naming.CURSOR_SECRET,
                    "user_pool_id": pool.user_pool_id,
                    "user_pool_client_id": pool.client.user_pool_client_id,
                    "ingest_queue_url": storage.ingest_queue.queue_url,
                    "previews_function": naming.function("previews"),
                    **compute_variables(scope, defaults),
                    "query_workgroup": naming.QUERY_WORKGROUP,
                    "job_log_group": naming.JOB_LOG_GROUP,
                    "training_log_group": naming.TRAINING_LOG_GROUP,
                    **dead_letter_variables(),
                    "alarm_prefix": naming.ALARM_PREFIX,
                    **outbound_variables(settings),
                },
            ),
            statements=[
                *_statements(scope, storage),
                allow.keep_accounts(pool),
                # Invitations.
                *([allow.send_mail(scope, settings.mail_sender)] if settings.mail_sender else []),
            ],
        )


def _statements(scope: Construct, storage: Storage) -> list[iam.PolicyStatement]:
    lake_prefixes = (
        naming.DATASETS_PREFIX,
        naming.JOBS_PREFIX,
        naming.SOURCES_PREFIX,
        naming.STUDIES_PREFIX,
        naming.MODELS_PREFIX,
        naming.QUERIES_PREFIX,
        naming.CAPTURES_PREFIX,
        naming.PREDICTIONS_PREFIX,
    )
    return [
        allow.change_registry(storage.registry),
        allow.end_studies(storage.studies),
        allow.keep_idempotency(storage.idempotency),
        allow.list_bucket(storage.landing),
        allow.read_objects(storage.landing, naming.UPLOADS_PREFIX),
        allow.write_objects(storage.landing, naming.UPLOADS_PREFIX),
        allow.delete_objects(storage.landing, naming.UPLOADS_PREFIX),
        allow.list_bucket(storage.lake),
        allow.read_objects(storage.lake, *lake_prefixes),
        allow.write_objects(
            storage.lake, naming.SOURCES_PREFIX, naming.QUERIES_PREFIX, naming.PREDICTION_INPUTS_PREFIX
        ),
        allow.locate_bucket(storage.lake),
        allow.run_queries(scope),
        allow.change_tables(scope),
        allow.delete_objects(storage.lake, naming.STUDIES_PREFIX, naming.MODELS_PREFIX),
        allow.send_messages(storage.ingest_queue),
        allow.invoke_function(scope, "previews"),
        allow.read_secret(scope, naming.CURSOR_SECRET),
        allow.read_secret(scope, naming.AUDIT_SECRET),
        allow.change_source_secrets(scope),
        allow.change_channel_secrets(scope),
        allow.read_job_logs(scope),
        allow.stop_jobs(scope),
        allow.read_training_logs(scope),
        allow.stop_training_jobs(scope),
        *allow.search_logs(scope),
        allow.watch_figures(),
        allow.handle_dead_letters(scope, *DEAD_LETTERS),
        # What could not be processed is sent to them again.
        *(allow.invoke_function(scope, name) for name in ("dispatch", "job_events", "reconciler")),
    ]
