"""What the job container is given, whichever service runs it."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.storage import Storage


def container_statements(storage: Storage) -> list[iam.PolicyStatement]:
    """Reading data, models and, for reports, captured requests; reporting to the registry, searching, and leaving
    artifacts."""
    return [
        *_data_statements(storage),
        allow.read_objects(storage.lake, naming.CAPTURES_PREFIX),
        allow.change_studies(storage.studies),
    ]


def transfer_statements(storage: Storage) -> list[iam.PolicyStatement]:
    """Of exports and imports of workspaces, which run no code of users: they also bring in models, and the packages of
    collectors."""
    return [
        *container_statements(storage),
        allow.write_objects(storage.lake, naming.MODELS_PREFIX, naming.SOURCES_PREFIX),
        # Archives that are damaged.
        allow.delete_objects(storage.lake, naming.ARCHIVES_PREFIX),
    ]


def collect_statements(scope: Construct, storage: Storage, *, buckets: Sequence[str]) -> list[iam.PolicyStatement]:
    """Of those that read sources: no studies, but the sources' secrets, and the buckets that are meant for that."""
    read = [s3.Bucket.from_bucket_name(scope, f"CollectBucket{index}", name) for index, name in enumerate(buckets)]
    return [
        *_data_statements(storage),
        allow.read_source_secrets(scope),
        *(statement for bucket in read for statement in (allow.list_bucket(bucket), allow.read_objects(bucket, ""))),
    ]


def _data_statements(storage: Storage) -> list[iam.PolicyStatement]:
    written = (naming.DATASETS_PREFIX, naming.JOBS_PREFIX, naming.STUDIES_PREFIX)
    return [
        allow.change_registry(storage.registry),
        allow.list_bucket(storage.landing),
        allow.read_objects(storage.landing, naming.UPLOADS_PREFIX, naming.DROP_PREFIX),
        allow.list_bucket(storage.lake),
        allow.read_objects(storage.lake, *written, naming.SOURCES_PREFIX, naming.MODELS_PREFIX),
        allow.write_objects(storage.lake, *written),
        allow.delete_objects(storage.lake, naming.CHECKPOINTS_PREFIX),
        allow.send_messages(storage.ingest_queue),
    ]
