"""Where everything is kept: registry, studies, idempotency records, the two buckets and the secret for cursors."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Duration, Fn, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.ingest_queue import IngestQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What the other stacks work on."""

    registry: dynamodb.ITable
    studies: dynamodb.ITable
    idempotency: dynamodb.ITable
    landing: s3.IBucket
    lake: s3.IBucket
    ingest_queue: sqs.IQueue
    ingest_dead_letters: sqs.IQueue

    def variables(self) -> dict[str, str]:
        """Values of aimass_core.settings.StorageSettings."""
        return {
            "registry_table": self.registry.table_name,
            "studies_table": self.studies.table_name,
            "landing_bucket": self.landing.bucket_name,
            "lake_bucket": self.lake.bucket_name,
        }


class Registry(dynamodb.Table):
    """The one table of resources. Its stream carries new jobs and endpoints to dispatch."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption_key=key,
            table_name=naming.REGISTRY_TABLE,
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live_attribute="expires_at",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.add_global_secondary_index(index_name="gsi1", partition_key=_string("gsi1pk"), sort_key=_string("gsi1sk"))


class StudiesTable(dynamodb.Table):
    """Studies, and one item per trial: the Optuna storage of batch_jobs.search."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption_key=key,
            table_name=naming.STUDIES_TABLE,
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )


class IdempotencyTable(dynamodb.Table):
    """Answers of creating requests, kept by Powertools until they expire."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption_key=key,
            table_name=naming.IDEMPOTENCY_TABLE,
            partition_key=_string("id"),
            time_to_live_attribute="expiration",
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.RETAIN,
        )


class PrivateBucket(s3.Bucket):
    """A bucket without public access, over TLS only, encrypted, and kept when the stack goes."""

    def __init__(
        self, scope: Construct, construct_id: str, *, purpose: str, versioned: bool, key: kms.IKey | None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            bucket_name=Fn.sub(naming.bucket(purpose)),
            versioned=versioned,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=key is not None or None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.add_lifecycle_rule(id="abort-incomplete-uploads", abort_incomplete_multipart_upload_after=Duration.days(7))

    def open_to_console(self, origins: Sequence[str], methods: Sequence[s3.HttpMethods]) -> None:
        """Lets pages of these origins send the requests that the API has signed for them.

        NOTE: the console's own address is known only once the application is deployed, which is after the bucket; where
        no origin is given, every API of the region may be one. It grants nothing: there are no cookies here, and who
        holds a signed request can send it without a browser too.
        """
        self.add_cors_rule(
            allowed_methods=list(methods),
            allowed_origins=list(origins) or [Fn.sub("https://*.execute-api.${AWS::Region}.${AWS::URLSuffix}")],
            # What is signed, and the browser does not set by itself (aimass_core.adapters.s3).
            allowed_headers=["if-none-match", "x-amz-checksum-sha256"],
            max_age=3600,
        )


class LandingBucket(PrivateBucket):
    """Where uploads and dropped files arrive; every new object is announced on the ingest queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, queue: IngestQueue, origins: Sequence[str], key: kms.IKey | None
    ) -> None:
        super().__init__(scope, construct_id, purpose="landing", versioned=False, key=key)
        self.open_to_console(origins, [s3.HttpMethods.PUT])
        self.add_lifecycle_rule(id="expire-uploads", prefix=naming.UPLOADS_PREFIX, expiration=Duration.days(30))
        # NOTE: the L2 notification is a Lambda-backed custom resource that may change any bucket; the property of
        # the bucket itself needs neither. S3 checks the queue's policy when the bucket is made, hence the dependency.
        bucket = self.node.default_child
        assert isinstance(bucket, s3.CfnBucket)  # noqa: S101 - a fact of the L2 construct
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                _notification(queue, prefix) for prefix in (naming.UPLOADS_PREFIX, naming.DROP_PREFIX)
            ]
        )
        bucket.node.add_dependency(queue.policy)


class LakeBucket(PrivateBucket):
    """Parquet files, job artifacts and models. Content is immutable; versions protect it from mistakes."""

    def __init__(self, scope: Construct, construct_id: str, *, origins: Sequence[str], key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id, purpose="lake", versioned=True, key=key)
        self.open_to_console(origins, [s3.HttpMethods.GET, s3.HttpMethods.PUT])
        self.add_lifecycle_rule(
            id="expire-replaced-objects",
            noncurrent_version_expiration=Duration.days(30),
            expired_object_delete_marker=True,
        )
        # A day longer than the queries' rows in the registry (aimass_core.domain.settings.retention).
        self.add_lifecycle_rule(id="expire-query-results", prefix=naming.QUERIES_PREFIX, expiration=Duration.days(8))
        # So long the counters of endpoints are kept too (aimass_core.services.endpoint_counters.KEPT).
        self.add_lifecycle_rule(id="expire-captures", prefix=naming.CAPTURES_PREFIX, expiration=Duration.days(90))
        # A day longer than they can be asked for (aimass_core.domain.settings.retention).
        self.add_lifecycle_rule(id="expire-predictions", prefix=naming.PREDICTIONS_PREFIX, expiration=Duration.days(2))


class SigningSecret(secretsmanager.Secret):
    """A secret that nobody chose, which signs what nobody else may be able to make up."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, description: str, key: kms.IKey | None
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            secret_name=name,
            encryption_key=key,
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN,
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _notification(queue: IngestQueue, prefix: str) -> s3.CfnBucket.QueueConfigurationProperty:
    return s3.CfnBucket.QueueConfigurationProperty(
        event="s3:ObjectCreated:*",
        queue=queue.queue.queue_arn,
        filter=s3.CfnBucket.NotificationFilterProperty(
            s3_key=s3.CfnBucket.S3KeyFilterProperty(
                rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)]
            )
        ),
    )
