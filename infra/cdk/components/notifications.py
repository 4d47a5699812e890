"""The function that tells people and programs what has happened, and its queue."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aimass_core.settings import NotificationsSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.dead_letters import DeadLetterQueue
from infra.cdk.components.dispatch import rows
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings

_TIMEOUT = Duration.seconds(90)
# Each may wait for a slow receiver.
_BATCH = 4
_MAX_RECEIVE_COUNT = 5


class Notifications(PlatformFunction):
    """Hears of rows by the registry's stream, as its second consumer, and brings each delivery where it goes.

    The queue holds hints: deliveries are rows, and the reconciler brings those that were missed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: FunctionDefaults,
        storage: Storage,
        settings: EnvironmentSettings,
    ) -> None:
        self.dead_letters = DeadLetterQueue(scope, f"{construct_id}DeadLetters", name="notifications")
        self.queue = _queue(scope, construct_id, dead_letters=self.dead_letters)
        super().__init__(
            scope,
            construct_id,
            name="notifications",
            description="Registry stream -> notifications -> webhooks, Slack, e-mail.",
            defaults=defaults,
            memory_mib=512,
            timeout=_TIMEOUT,
            environment=environment_of(
                NotificationsSettings,
                {
                    "registry_table": storage.registry.table_name,
                    "lake_bucket": storage.lake.bucket_name,
                    "notification_queue_url": self.queue.queue_url,
                    **outbound_variables(settings),
                },
            ),
            statements=[
                allow.change_registry(storage.registry),
                allow.read_stream(storage.registry),
                allow.list_bucket(storage.lake),
                allow.read_objects(storage.lake, naming.JOBS_PREFIX),
                allow.send_messages(self.queue),
                allow.read_channel_secrets(scope),
                *([allow.send_mail(scope, settings.mail_sender)] if settings.mail_sender else []),
            ],
        )
        if settings.mail_sender:
            # Whoever reads that mailbox gets a message by which to confirm it.
            ses.EmailIdentity(scope, f"{construct_id}Sender", identity=ses.Identity.email(settings.mail_sender))
        self.add_event_source_mapping(
            "Stream",
            event_source_arn=storage.registry.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=10,
            bisect_batch_on_error=True,
            retry_attempts=3,
            report_batch_item_failures=True,
            on_failure=event_sources.SqsDlq(self.dead_letters),
            filters=[
                rows("job", statuses=["SUCCEEDED", "FAILED", "STOPPED"]),
                rows("dataset_version", statuses=["READY", "REJECTED"]),
                rows("endpoint_event"),
                # NOTE: of filters there may be five.
                rows("endpoint_watch", "budget", statuses=["ALARM", "OK", "WARNED", "SPENT"]),
                rows("notification", "notification_delivery", statuses=["PENDING"]),
            ],
        )
        self.add_event_source(
            event_sources.SqsEventSource(self.queue, batch_size=_BATCH, report_batch_item_failures=True)
        )


def outbound_variables(settings: EnvironmentSettings) -> dict[str, str]:
    """Values of aimass_core.settings.OutboundSettings."""
    return {"notification_hosts": ",".join(settings.notification_hosts), "mail_sender": settings.mail_sender}


def _queue(scope: Construct, construct_id: str, *, dead_letters: sqs.Queue) -> sqs.Queue:
    return sqs.Queue(
        scope,
        f"{construct_id}Queue",
        queue_name=naming.NOTIFICATION_QUEUE,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(4),
        # Lambda's advice: six times the timeout of the function that reads the queue.
        visibility_timeout=Duration.seconds(6 * _TIMEOUT.to_seconds()),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=_MAX_RECEIVE_COUNT),
    )
