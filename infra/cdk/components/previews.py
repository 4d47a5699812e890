"""The function that tries recipes."""

from aws_cdk import Duration, Size
from constructs import Construct

from aimass_core.settings import PreviewsSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Previews(PlatformFunction):
    """Reads datasets and nothing else. /tmp holds the file that is looked at, and what DuckDB spills."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="previews",
            description="Tries recipes on samples.",
            defaults=defaults,
            memory_mib=2_048,
            storage=Size.gibibytes(2),
            timeout=Duration.seconds(28),
            environment=environment_of(PreviewsSettings, {"lake_bucket": storage.lake.bucket_name}),
            statements=[
                allow.list_bucket(storage.lake),
                allow.read_objects(storage.lake, naming.DATASETS_PREFIX),
            ],
        )
