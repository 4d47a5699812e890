"""The function that heals whatever an event missed."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aimass_core.settings import ReconcilerSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.dead_letters import DEAD_LETTERS, dead_letter_variables
from infra.cdk.components.dispatch import dispatch_statements, dispatch_variables, registration_statements
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Reconciler(PlatformFunction):
    """Runs every minute. A lost run does no harm, so nothing is retried: the next one does the same work."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: FunctionDefaults,
        storage: Storage,
        notification_queue: sqs.IQueue,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="reconciler",
            description="Every minute: lost events, stuck endpoints, closed windows, expired uploads.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.minutes(5),
            environment=environment_of(
                ReconcilerSettings,
                {
                    **storage.variables(),
                    **dispatch_variables(scope, defaults),
                    "ingest_queue_url": storage.ingest_queue.queue_url,
                    "query_workgroup": naming.QUERY_WORKGROUP,
                    "notification_queue_url": notification_queue.queue_url,
                    **dead_letter_variables(),
                },
            ),
            statements=[
                *dispatch_statements(scope, storage),
                *registration_statements(storage),
                *_healing_statements(scope, storage),
                allow.send_messages(notification_queue),
                allow.measure_dead_letters(scope, *DEAD_LETTERS),
                *_purging_statements(scope, storage),
            ],
        )
        events.Rule(
            scope,
            f"{construct_id}Schedule",
            description="The reconciler's minute.",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(self, retry_attempts=0)],
        )


def _healing_statements(scope: Construct, storage: Storage) -> list[iam.PolicyStatement]:
    """Finding what is stuck, expiring uploads, closing windows, and removing what deleted datasets leave."""
    return [
        allow.query_registry_by_status(storage.registry),
        allow.list_bucket(storage.landing),
        allow.read_objects(storage.landing, naming.UPLOADS_PREFIX, naming.DROP_PREFIX),
        allow.write_objects(storage.landing, naming.UPLOADS_PREFIX),
        allow.delete_objects(storage.landing, naming.UPLOADS_PREFIX),
        allow.delete_objects(
            storage.lake,
            naming.DATASETS_PREFIX,
            naming.JOBS_PREFIX,
            naming.CAPTURES_PREFIX,
            naming.PREDICTIONS_PREFIX,
        ),
        allow.send_messages(storage.ingest_queue),
        allow.read_objects(storage.lake, naming.DATASETS_PREFIX, naming.QUERIES_PREFIX, naming.CAPTURES_PREFIX),
        allow.change_tables(scope),
        allow.follow_queries(scope),
        allow.read_secret(scope, naming.AUDIT_SECRET),
        *allow.delete_hosts(scope),
    ]


def _purging_statements(scope: Construct, storage: Storage) -> list[iam.PolicyStatement]:
    """Everything of a workspace that is deleted."""
    return [
        allow.delete_objects(storage.landing, naming.DROP_PREFIX),
        allow.delete_objects(
            storage.lake,
            naming.JOBS_PREFIX,
            naming.SOURCES_PREFIX,
            naming.STUDIES_PREFIX,
            naming.MODELS_PREFIX,
            naming.CAPTURES_PREFIX,
            naming.PREDICTIONS_PREFIX,
            naming.QUERIES_PREFIX,
        ),
        allow.end_studies(storage.studies),
        *allow.end_secrets(scope),
        allow.drop_databases(scope),
    ]
