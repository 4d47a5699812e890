"""Builds the ports of a deployable from its settings. Each client and adapter is made when it is first used."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from pydantic_settings import BaseSettings

from aimass_core.domain.common import Clock, NewId, new_id, utc_now
from aimass_core.ports import (
    BlobStore,
    Catalog,
    Compute,
    Counters,
    Courier,
    DeadLetterStore,
    Hosting,
    Identity,
    LiveSettings,
    Logs,
    LogSearch,
    Mailer,
    Predictor,
    Previewer,
    QueryEngine,
    Queue,
    Registry,
    Secrets,
    Spark,
    Trials,
    Watch,
)
from aimass_core.settings import StorageSettings

_CONFIG = Config(
    signature_version="s3v4",
    # NOTE: `max_attempts` would count the repeats only.
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=25,
    # NOTE: botocore adds a CRC32 of its own to every presigned PUT, which the client would then have to send.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_supported",
)
# NOTE: with the default style presigned URLs name S3's global host, which redirects for a bucket that is new in another
# region. (An endpoint that is an IP address, as the local cloud's, is addressed by path in any case.)
_S3_CONFIG = _CONFIG.merge(Config(s3={"addressing_style": "virtual"}))
# A golden request may meet a cold start with a large model, and a repeat of it would only add to the load. The members
# of a fusion are asked at the same time.
_INVOKE_CONFIG = _CONFIG.merge(
    Config(read_timeout=60, retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=64)
)
# SageMaker ends a request after a minute; who asks waits no longer than the request has time.
_ASK_CONFIG = _INVOKE_CONFIG.merge(Config(read_timeout=65, retries={"mode": "standard", "total_max_attempts": 2}))
# NOTE: an addition that is repeated counts twice, and a request waits for it.
_COUNTERS_CONFIG = _CONFIG.merge(
    Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1})
)
# Whoever has claimed a job submits it within `dispatch.SUBMIT_SECONDS`, also where every attempt times out.
_BATCH_CONFIG = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 3}))


class MissingSettingError(Exception):
    """A use case needs a port for which the deployable has no setting."""


class AwsClients:
    """boto3 clients, one of each service."""

    def __init__(self) -> None:
        self._session = boto3.session.Session()

    @cached_property
    def dynamodb(self) -> Any:
        """DynamoDB, whose writes are repeated where they meet others."""
        from aimass_core.adapters.dynamodb_retries import retry_conflicts

        client = self._session.client("dynamodb", config=_CONFIG)
        retry_conflicts(client)
        return client

    @cached_property
    def counters(self) -> Any:
        """DynamoDB, of which nothing is asked twice."""
        return self._session.client("dynamodb", config=_COUNTERS_CONFIG)

    @cached_property
    def s3(self) -> Any:
        """S3."""
        return self._session.client("s3", config=_S3_CONFIG)

    @cached_property
    def sqs(self) -> Any:
        """SQS."""
        return self._session.client("sqs", config=_CONFIG)

    @cached_property
    def batch(self) -> Any:
        """Batch."""
        return self._session.client("batch", config=_BATCH_CONFIG)

    @cached_property
    def sagemaker(self) -> Any:
        """SageMaker."""
        return self._session.client("sagemaker", config=_CONFIG)

    @cached_property
    def sagemaker_runtime(self) -> Any:
        """SageMaker's endpoints."""
        return self._session.client("sagemaker-runtime", config=_ASK_CONFIG)

    @cached_property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self._session.client("logs", config=_CONFIG)

    @cached_property
    def cloudwatch(self) -> Any:
        """CloudWatch."""
        return self._session.client("cloudwatch", config=_CONFIG)

    @cached_property
    def functions(self) -> Any:
        """Lambda."""
        return self._session.client("lambda", config=_INVOKE_CONFIG)

    @cached_property
    def glue(self) -> Any:
        """Glue."""
        return self._session.client("glue", config=_CONFIG)

    @cached_property
    def athena(self) -> Any:
        """Athena."""
        return self._session.client("athena", config=_CONFIG)

    @cached_property
    def emr_serverless(self) -> Any:
        """EMR Serverless."""
        return self._session.client("emr-serverless", config=_CONFIG)

    @cached_property
    def cognito(self) -> Any:
        """Cognito's user pools."""
        return self._session.client("cognito-idp", config=_CONFIG)

    @cached_property
    def ses(self) -> Any:
        """SES."""
        return self._session.client("sesv2", config=_CONFIG)

    @cached_property
    def secretsmanager(self) -> Any:
        """Secrets Manager."""
        return self._session.client("secretsmanager", config=_CONFIG)


class AwsPorts:
    """Satisfies `Ports`. Adapters are imported with their first use, since each costs a cold start some time."""

    def __init__(self, settings: BaseSettings) -> None:
        self._settings = settings
        self.clients = AwsClients()

    @property
    def clock(self) -> Clock:
        """UTC."""
        return utc_now

    @property
    def new_id(self) -> NewId:
        """Ids that sort by time."""
        return new_id

    @cached_property
    def registry(self) -> Registry:
        """DynamoDB."""
        from aimass_core.adapters.dynamodb import DynamoDbRegistry

        return DynamoDbRegistry(self.clients.dynamodb, table=self._setting("registry_table"))

    @cached_property
    def counters(self) -> Counters:
        """DynamoDB."""
        from aimass_core.adapters.counters import DynamoDbCounters

        return DynamoDbCounters(self.clients.counters, table=self._setting("registry_table"))

    @cached_property
    def landing(self) -> BlobStore:
        """S3."""
        return self._bucket("landing_bucket")

    @cached_property
    def lake(self) -> BlobStore:
        """S3."""
        return self._bucket("lake_bucket")

    @cached_property
    def compute(self) -> Compute:
        """AWS Batch."""
        from aimass_core.adapters.batch import BatchCompute

        return BatchCompute(
            self.clients.batch,
            job_queue=self._setting("job_queue"),
            job_definition=self._setting("job_definition"),
            collect_job_definition=self._setting("collect_job_definition"),
            transfer_job_definition=self._setting("transfer_job_definition"),
            multinode_job_definition=self._setting("multinode_job_definition"),
        )

    @cached_property
    def logs(self) -> Logs:
        """CloudWatch Logs."""
        from aimass_core.adapters.logs import CloudWatchLogs

        return CloudWatchLogs(self.clients.logs, group=self._setting("job_log_group"))

    @cached_property
    def sagemaker(self) -> Compute:
        """SageMaker Training."""
        from aimass_core.adapters.sagemaker import SageMakerCompute

        # NOTE: on Batch the job definition gives a container these; SageMaker has nothing of the kind.
        needed = (name for name, field in StorageSettings.model_fields.items() if field.is_required())
        shared = {f"AIMASS_{name.upper()}": self._setting(name) for name in needed}
        return SageMakerCompute(
            self.clients.sagemaker,
            image=self._setting("training_image"),
            role_arn=self._setting("training_role_arn"),
            bucket=self._setting("lake_bucket"),
            environment=shared,
        )

    @cached_property
    def sagemaker_logs(self) -> Logs:
        """CloudWatch Logs of training jobs."""
        from aimass_core.adapters.logs import TrainingJobLogs

        return TrainingJobLogs(self.clients.logs, group=self._setting("training_log_group"))

    @cached_property
    def log_search(self) -> LogSearch:
        """CloudWatch Logs Insights."""
        from aimass_core.adapters.log_search import InsightsLogSearch

        return InsightsLogSearch(
            self.clients.logs,
            function_groups={short: f"/aws/lambda/{name}" for short, name in self._names("functions").items()},
            job_groups=[self._setting("job_log_group"), self._setting("training_log_group")],
        )

    @cached_property
    def watch(self) -> Watch:
        """CloudWatch, SQS and Batch."""
        from aimass_core.adapters.watch import AwsWatch, Watched

        watched = Watched(
            functions=self._names("functions"),
            queue_url=self._setting("ingest_queue_url"),
            job_queue=self._setting("job_queue"),
            alarm_prefix=self._setting("alarm_prefix"),
        )
        clients = self.clients
        return AwsWatch(watched, cloudwatch=clients.cloudwatch, sqs=clients.sqs, batch=clients.batch)

    @cached_property
    def dead_letters(self) -> DeadLetterStore:
        """SQS. What was sent to ingest goes back to its queue, everything else to the function itself; deliveries that
        are due the reconciler brings to theirs."""
        from aimass_core.adapters.dead_letters import SqsDeadLetters, WayBack

        functions, ingest_url = self._names("functions"), self._setting("ingest_queue_url")
        ways = {
            short: WayBack(dead_letters=name, queue_url=ingest_url)
            if short == "ingest"
            else WayBack(dead_letters=name, function=functions["reconciler" if short == "notifications" else short])
            for short, name in self._names("dead_letter_queues").items()
        }
        return SqsDeadLetters(
            sqs=self.clients.sqs, functions=self.clients.functions, ways=ways, reconciler=functions["reconciler"]
        )

    @cached_property
    def trials(self) -> Trials:
        """DynamoDB."""
        from aimass_core.adapters.trials import DynamoDbTrials

        return DynamoDbTrials(self.clients.dynamodb, table=self._setting("studies_table"))

    @cached_property
    def catalog(self) -> Catalog:
        """Glue."""
        from aimass_core.adapters.glue import GlueCatalog

        return GlueCatalog(self.clients.glue)

    @cached_property
    def query_engine(self) -> QueryEngine:
        """Athena."""
        from aimass_core.adapters.athena import AthenaQueryEngine

        return AthenaQueryEngine(self.clients.athena, workgroup=self._setting("query_workgroup"))

    @cached_property
    def spark(self) -> Spark:
        """EMR Serverless."""
        from aimass_core.adapters.emr_serverless import EmrServerlessSpark

        return EmrServerlessSpark(
            self.clients.emr_serverless,
            application_id=self._setting("spark_application_id"),
            role_arn=self._setting("spark_role_arn"),
            bucket=self._setting("lake_bucket"),
        )

    @cached_property
    def ingest_queue(self) -> Queue:
        """SQS."""
        from aimass_core.adapters.sqs import SqsQueue

        return SqsQueue(self.clients.sqs, url=self._setting("ingest_queue_url"))

    @cached_property
    def notification_queue(self) -> Queue:
        """SQS."""
        from aimass_core.adapters.sqs import SqsQueue

        return SqsQueue(self.clients.sqs, url=self._setting("notification_queue_url"))

    @cached_property
    def courier(self) -> Courier:
        """HTTP."""
        from aimass_core.adapters.courier import HttpCourier

        hosts = str(getattr(self._settings, "notification_hosts", ""))
        return HttpCourier(allowed_hosts=frozenset(filter(None, (host.strip() for host in hosts.split(",")))))

    @cached_property
    def mailer(self) -> Mailer:
        """SES."""
        from aimass_core.adapters.ses import SesMailer

        return SesMailer(self.clients.ses, sender=str(getattr(self._settings, "mail_sender", "")))

    @cached_property
    def predictor(self) -> Predictor:
        """Lambda."""
        from aimass_core.adapters.lambda_functions import LambdaPredictor

        return LambdaPredictor(self.clients.functions, function=self._setting("predictions_function"))

    @cached_property
    def hosting(self) -> Hosting:
        """SageMaker's endpoints. What only asks them needs no settings."""
        from aimass_core.adapters.hosting import HostPlan, SageMakerHosting

        return SageMakerHosting(
            self.clients.sagemaker,
            self.clients.sagemaker_runtime,
            plan=lambda: HostPlan(
                image=self._setting("training_image"),
                role_arn=self._setting("serving_role_arn"),
                bucket=self._setting("lake_bucket"),
            ),
        )

    @cached_property
    def previewer(self) -> Previewer:
        """Lambda."""
        from aimass_core.adapters.lambda_functions import LambdaPreviewer

        return LambdaPreviewer(self.clients.functions, function=self._setting("previews_function"))

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets Manager."""
        from aimass_core.adapters.secrets_manager import SecretsManagerSecrets

        return SecretsManagerSecrets(self.clients.secretsmanager)

    @cached_property
    def live_settings(self) -> LiveSettings:
        """The registry, and the deployment's own."""
        from aimass_core.adapters.live_settings import StoredSettings

        deployment = getattr(self._settings, "deployment_settings", {})
        return StoredSettings(lambda: self.registry, deployment=deployment)

    @cached_property
    def identity(self) -> Identity:
        """A Cognito user pool."""
        from aimass_core.adapters.cognito import CognitoIdentity

        return CognitoIdentity(
            self.clients.cognito,
            user_pool_id=self._setting("user_pool_id"),
            client_id=self._setting("user_pool_client_id"),
        )

    def open_bucket(self, name: str) -> BlobStore:
        """A bucket that is none of the platform's own."""
        from aimass_core.adapters.s3 import S3BlobStore

        return S3BlobStore(self.clients.s3, bucket=name)

    def _bucket(self, setting: str) -> BlobStore:
        return self.open_bucket(self._setting(setting))

    def _setting(self, name: str) -> str:
        return str(self._require(name))

    def _names(self, name: str) -> Mapping[str, str]:
        return dict(self._require(name))

    def _require(self, name: str) -> Any:
        value = getattr(self._settings, name, None)
        if not value:
            raise MissingSettingError(
                f"{type(self._settings).__name__} has no {name}: this deployable was not meant to use it. Give it the "
                f"variable AIMASS_{name.upper()} by a field of its settings class."
            )
        return value


def build_ports(settings: BaseSettings) -> AwsPorts:
    """The ports on AWS (or on whatever AWS_ENDPOINT_URL points to)."""
    return AwsPorts(settings)
