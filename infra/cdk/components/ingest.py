"""The function that turns landed files into dataset versions."""

from aws_cdk import Duration, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from aimass_core.settings import IngestSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.ingest_queue import INGEST_TIMEOUT
from infra.cdk.components.storage import Storage

# So many files share what an invocation and a transaction cost. Lambda gathers more than ten messages only where it may
# wait for a second.
_FILES_TOGETHER = 50
_GATHERS_FOR = Duration.seconds(1)


class Ingest(PlatformFunction):
    """Takes many messages at once, as thousands of small files come together; it converts one version of them, so that
    a heavy file delays no other. Only failed messages come back to the queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        defaults: FunctionDefaults,
        storage: Storage,
        max_concurrency: int,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            name="ingest",
            description="Landed files -> dataset versions.",
            defaults=defaults,
            memory_mib=3_008,
            storage=Size.gibibytes(6),
            timeout=INGEST_TIMEOUT,
            environment=environment_of(
                IngestSettings, {**storage.variables(), "ingest_queue_url": storage.ingest_queue.queue_url}
            ),
            statements=_statements(storage),
        )
        self.add_event_source(
            event_sources.SqsEventSource(
                storage.ingest_queue,
                batch_size=_FILES_TOGETHER,
                max_batching_window=_GATHERS_FOR,
                max_concurrency=max_concurrency,
                report_batch_item_failures=True,
            )
        )


def _statements(storage: Storage) -> list[iam.PolicyStatement]:
    landing_prefixes = (naming.UPLOADS_PREFIX, naming.DROP_PREFIX)
    return [
        allow.change_registry(storage.registry),
        allow.list_bucket(storage.landing),
        allow.read_objects(storage.landing, *landing_prefixes),
        allow.list_bucket(storage.lake),
        allow.read_objects(storage.lake, naming.DATASETS_PREFIX),
        allow.write_objects(storage.lake, naming.DATASETS_PREFIX),
        allow.send_messages(storage.ingest_queue),
    ]
