"""The function that serves models."""

from aws_cdk import Duration, Size
from constructs import Construct

from aimass_core.settings import PredictionsSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Predictions(PlatformFunction):
    """Reads endpoints and models, and counts what it answers. Memory buys processor time, and ONNX Runtime uses it;
    /tmp keeps the models."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="predictions",
            description="Open Inference Protocol on ONNX Runtime: /v2 and the friendly predict route.",
            defaults=defaults,
            memory_mib=2_048,
            storage=Size.gibibytes(2),
            timeout=Duration.seconds(29),
            environment=environment_of(
                PredictionsSettings,
                {"registry_table": storage.registry.table_name, "lake_bucket": storage.lake.bucket_name},
            ),
            statements=[
                allow.read_registry(storage.registry),
                allow.add_to_counters(storage.registry),
                allow.list_bucket(storage.lake),
                allow.read_objects(storage.lake, naming.MODELS_PREFIX),
                allow.put_objects(storage.lake, naming.CAPTURES_PREFIX),
            ],
        )
