"""The functions, what triggers them, and the API in front of them."""

from dataclasses import replace

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.assets import CodeSource
from infra.cdk.components.alarms import OperationsAlarms, ServingAlarms
from infra.cdk.components.authorizer import Authorizer
from infra.cdk.components.collectors import CollectorsTick, Webhooks
from infra.cdk.components.console import Console
from infra.cdk.components.dashboard import Dashboard
from infra.cdk.components.dispatch import Dispatch
from infra.cdk.components.functions import FunctionDefaults, Layer, PlatformFunction
from infra.cdk.components.http_api import HttpApi
from infra.cdk.components.ingest import Ingest
from infra.cdk.components.job_events import JobEvents
from infra.cdk.components.management_api import ManagementApi
from infra.cdk.components.notifications import Notifications
from infra.cdk.components.predictions import Predictions
from infra.cdk.components.previews import Previews
from infra.cdk.components.reconciler import Reconciler
from infra.cdk.components.storage import Storage
from infra.cdk.components.user_pool import UserPool
from infra.cdk.settings import EnvironmentSettings


class ApplicationStack(Stack):
    """Holds no data: it may be deleted and deployed again. Compute is referred to by name only (see `naming`)."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        storage: Storage,
        pool: UserPool,
        code: CodeSource,
    ) -> None:
        super().__init__(scope, naming.APPLICATION_STACK, description="AI Mass: functions, events and the API.")
        core = Layer(self, "CoreLayer", asset="layers/core", code=code, description="aimass_core")
        deps = Layer(self, "DepsLayer", asset="layers/deps", code=code, description="Third-party packages.")
        identity = Layer(self, "IdentityLayer", asset="layers/identity", code=code, description="JWTs.")
        inference = Layer(self, "InferenceLayer", asset="layers/inference", code=code, description="ONNX Runtime.")
        preparation = Layer(self, "PreparationLayer", asset="layers/preparation", code=code, description="DuckDB.")
        common = FunctionDefaults(
            code=code,
            layers=[core, deps],
            log_retention=settings.log_retention,
            image=settings.image,
            live_settings=settings.live_settings,
        )
        closing = replace(common, layers=[core, identity])
        serving, preparing = replace(common, layers=[core, inference]), replace(common, layers=[core, preparation])

        management = ManagementApi(self, "Api", defaults=common, storage=storage, settings=settings, pool=pool)
        authorizer = Authorizer(self, "Authorizer", defaults=closing, storage=storage, pool=pool)
        predictions = Predictions(self, "Predictions", defaults=serving, storage=storage, settings=settings)
        previews = Previews(self, "Previews", defaults=preparing, storage=storage)
        ingest = Ingest(
            self, "Ingest", defaults=common, storage=storage, max_concurrency=settings.ingest_max_concurrency
        )
        dispatch = Dispatch(self, "Dispatch", defaults=common, storage=storage)
        job_events = JobEvents(self, "JobEvents", defaults=common, storage=storage)
        notifications = Notifications(self, "Notifications", defaults=common, storage=storage, settings=settings)
        reconciler = Reconciler(
            self, "Reconciler", defaults=common, storage=storage, notification_queue=notifications.queue
        )
        serving_alarms = ServingAlarms(self, "ServingAlarms", predictions=predictions, reconciler=reconciler)
        webhooks = Webhooks(self, "Webhooks", defaults=common, storage=storage)
        tick = CollectorsTick(self, "CollectorsTick", defaults=common, storage=storage)
        console = Console(self, "Console", defaults=common, storage=storage)
        api = HttpApi(
            self,
            "HttpApi",
            settings=settings,
            management=management,
            predictions=predictions.entry,
            webhooks=webhooks,
            console=console,
            authorizer=authorizer,
        )
        functions: dict[str, PlatformFunction] = {
            "api": management,
            "authorizer": authorizer,
            "collectors": webhooks,
            "collectors_tick": tick,
            "console": console,
            "dispatch": dispatch,
            "ingest": ingest,
            "job_events": job_events,
            "notifications": notifications,
            "previews": previews,
            "reconciler": reconciler,
        }
        dead_letters: dict[str, sqs.IQueue] = {
            "ingest": storage.ingest_dead_letters,
            "dispatch": dispatch.dead_letters,
            "job_events": job_events.dead_letters,
            "notifications": notifications.dead_letters,
        }
        alarms = OperationsAlarms(
            self,
            "OperationsAlarms",
            functions=functions,
            dead_letters=dead_letters,
            ingest_queue=storage.ingest_queue,
            api=api,
        )
        Dashboard(
            self,
            "Dashboard",
            alarms=[*alarms.alarms, *serving_alarms.alarms],
            api=api,
            functions={**functions, "predictions": predictions},
            ingest_queue=storage.ingest_queue,
            dead_letters=dead_letters,
        )
        CfnOutput(self, "ApiUrl", value=api.url)
        CfnOutput(self, "ApiFunctionName", value=management.function_name)
        CfnOutput(self, "PredictionsFunctionName", value=predictions.function_name)
