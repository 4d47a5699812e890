"""The function that starts what the registry's stream announces."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from aimass_core.settings import DispatchSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.dead_letters import DeadLetterQueue
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.images import image_uri
from infra.cdk.components.storage import Storage


class Dispatch(PlatformFunction):
    """Jobs that were submitted go to Batch or SageMaker, endpoints that were created or changed are activated, and
    triggers fire for dataset versions and go on when their jobs have ended; new versions are listed in the catalogue of
    tables; rollouts are judged by what their versions have answered.

    Whatever fails here too often is told to the dead-letter queue and picked up by the reconciler.
    """

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        dead_letters = DeadLetterQueue(scope, f"{construct_id}DeadLetters", name="dispatch")
        super().__init__(
            scope,
            construct_id,
            name="dispatch",
            description="Registry stream -> compute jobs, endpoint activation and triggers.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.minutes(2),
            environment=environment_of(
                DispatchSettings, {**storage.variables(), **dispatch_variables(scope, defaults)}
            ),
            statements=[
                *dispatch_statements(scope, storage),
                allow.read_stream(storage.registry),
                allow.change_tables(scope),
            ],
            dead_letters=dead_letters,
        )
        self.dead_letters = dead_letters
        self.add_event_source_mapping(
            "Stream",
            event_source_arn=storage.registry.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=10,
            bisect_batch_on_error=True,
            retry_attempts=3,
            report_batch_item_failures=True,
            on_failure=event_sources.SqsDlq(dead_letters),
            filters=[
                rows("job", statuses=["SUBMITTED", "SUCCEEDED", "FAILED", "STOPPED"]),
                rows("dataset_version", statuses=["READY"]),
                rows("endpoint", statuses=["CREATING", "UPDATING"]),
                rows("table", statuses=["PENDING"]),
                rows("rollout_counter"),
            ],
        )
        events.Rule(
            scope,
            f"{construct_id}HostRule",
            description="State changes of the containers that answer for our endpoints.",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={"EndpointName": events.Match.prefix(naming.HOST_PREFIX)},
            ),
            targets=[
                targets.LambdaFunction(
                    self, dead_letter_queue=dead_letters, retry_attempts=2, max_event_age=Duration.hours(1)
                )
            ],
        )


def compute_variables(scope: Construct, defaults: FunctionDefaults) -> dict[str, str]:
    """Where jobs run, for whoever submits or stops them: what ComputeSettings adds to StorageSettings."""
    return {
        "job_queue": naming.JOB_QUEUE,
        "job_definition": naming.JOB_DEFINITION,
        "collect_job_definition": naming.COLLECT_JOB_DEFINITION,
        "transfer_job_definition": naming.TRANSFER_JOB_DEFINITION,
        "multinode_job_definition": naming.MULTINODE_JOB_DEFINITION,
        "training_image": image_uri(scope, defaults.image),
        "training_role_arn": allow.training_role_arn(scope),
    }


def dispatch_variables(scope: Construct, defaults: FunctionDefaults) -> dict[str, str]:
    """What DispatchSettings adds to StorageSettings."""
    return {
        **compute_variables(scope, defaults),
        "predictions_function": naming.function("predictions"),
        "serving_role_arn": allow.serving_role_arn(scope),
    }


def dispatch_statements(scope: Construct, storage: Storage) -> list[iam.PolicyStatement]:
    """Submitting jobs with their configuration, also those of triggers, and trying out candidates of endpoints."""
    return [
        allow.change_registry(storage.registry),
        allow.list_bucket(storage.lake),
        allow.read_objects(storage.lake, naming.MODELS_PREFIX, naming.DATASETS_PREFIX, naming.SOURCES_PREFIX),
        allow.write_objects(storage.lake, naming.JOBS_PREFIX),
        allow.submit_jobs(scope),
        allow.watch_jobs(),
        allow.stop_jobs(scope),
        *allow.run_training_jobs(scope),
        allow.stop_training_jobs(scope),
        allow.invoke_function(scope, "predictions"),
        *allow.create_hosts(scope),
    ]


def registration_statements(storage: Storage) -> list[iam.PolicyStatement]:
    """Reading what a job has left and copying it to where models lie."""
    return [
        allow.read_objects(storage.lake, naming.JOBS_PREFIX, naming.STUDIES_PREFIX),
        allow.write_objects(storage.lake, naming.MODELS_PREFIX),
    ]


def rows(*resources: str, statuses: Sequence[str] = ()) -> Mapping[str, Any]:
    """What an event source mapping hears of the stream: rows of resources that are new or have changed, in one of the
    statuses where any are named."""
    image: dict[str, Any] = {"resource": {"S": lambda_.FilterRule.or_(*resources)}}
    if statuses:
        image["status"] = {"S": lambda_.FilterRule.or_(*statuses)}
    pattern: Mapping[str, Any] = lambda_.FilterCriteria.filter(
        {"eventName": lambda_.FilterRule.or_("INSERT", "MODIFY"), "dynamodb": {"NewImage": image}}
    )
    return pattern
