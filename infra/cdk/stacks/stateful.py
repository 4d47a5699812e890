"""Everything that holds data. It changes rarely, and only the queues go with the stack."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.ingest_queue import IngestQueue
from infra.cdk.components.own_key import OwnKey
from infra.cdk.components.storage import (
    IdempotencyTable,
    LakeBucket,
    LandingBucket,
    Registry,
    SigningSecret,
    Storage,
    StudiesTable,
)
from infra.cdk.settings import EnvironmentSettings


class StatefulStack(Stack):
    """Tables, buckets, the ingest queue (S3 must find it when the bucket is made) and the secrets that sign."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        super().__init__(scope, naming.STATEFUL_STACK, description="AI Mass: tables, buckets and the ingest queue.")
        ingest = IngestQueue(self, "Ingest")
        key = OwnKey(self, "Key") if settings.own_key else None
        self.storage = Storage(
            registry=Registry(self, "Registry", key=key),
            studies=StudiesTable(self, "Studies", key=key),
            idempotency=IdempotencyTable(self, "Idempotency", key=key),
            landing=LandingBucket(self, "Landing", queue=ingest, origins=settings.console_origins, key=key),
            lake=LakeBucket(self, "Lake", origins=settings.console_origins, key=key),
            ingest_queue=ingest.queue,
            ingest_dead_letters=ingest.dead_letters,
        )
        SigningSecret(
            self,
            "CursorSecret",
            name=naming.CURSOR_SECRET,
            description="Signs the cursors of lists in the AI Mass API.",
            key=key,
        )
        SigningSecret(
            self,
            "AuditSecret",
            name=naming.AUDIT_SECRET,
            description="Signs the seals of AI Mass's audit trail.",
            key=key,
        )
        outputs = {
            "RegistryTableName": self.storage.registry.table_name,
            "StudiesTableName": self.storage.studies.table_name,
            "IdempotencyTableName": self.storage.idempotency.table_name,
            "LandingBucketName": self.storage.landing.bucket_name,
            "LakeBucketName": self.storage.lake.bucket_name,
            "IngestQueueUrl": ingest.queue.queue_url,
            "IngestDeadLetterQueueUrl": ingest.dead_letters.queue_url,
            "CursorSecretName": naming.CURSOR_SECRET,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
