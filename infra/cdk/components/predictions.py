"""The function that serves models."""

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from aimass_core.settings import PredictionsSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings


class Predictions(PlatformFunction):
    """Reads endpoints and models, and counts what it answers. Memory buys processor time, and ONNX Runtime uses it;
    /tmp keeps the models.

    `entry` is what the API calls: the function, or its version that has processes waiting.
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
        super().__init__(
            scope,
            construct_id,
            name="predictions",
            description="Open Inference Protocol on ONNX Runtime: /v2 and the friendly predict route.",
            defaults=defaults,
            memory_mib=settings.predictions_memory_mib,
            storage=Size.gibibytes(2),
            # For what is answered later; API Gateway waits for 29 s, and the function keeps to that.
            timeout=Duration.minutes(15),
            environment=environment_of(
                PredictionsSettings,
                {
                    "registry_table": storage.registry.table_name,
                    "lake_bucket": storage.lake.bucket_name,
                    "predictions_function": naming.function("predictions"),
                    "model_cache_mib": str(settings.predictions_cache_mib),
                },
            ),
            statements=[
                allow.read_registry(storage.registry),
                allow.add_to_counters(storage.registry),
                allow.list_bucket(storage.lake),
                allow.read_objects(storage.lake, naming.MODELS_PREFIX, naming.PREDICTIONS_PREFIX),
                allow.write_objects(storage.lake, naming.PREDICTIONS_PREFIX),
                allow.put_objects(storage.lake, naming.CAPTURES_PREFIX),
                allow.ask_hosts(scope),
                allow.invoke_function(scope, "predictions"),
            ],
        )
        self.entry: lambda_.IFunction = self
        if settings.predictions_provisioned:
            self.entry = lambda_.Alias(
                self,
                "Provisioned",
                alias_name="provisioned",
                version=self.current_version,
                provisioned_concurrent_executions=settings.predictions_provisioned,
            )
