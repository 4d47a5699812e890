"""The function that hears of the state changes of Batch and SageMaker."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from aimass_core.settings import JobEventsSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.dead_letters import DeadLetterQueue
from infra.cdk.components.dispatch import compute_variables, registration_statements
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class JobEvents(PlatformFunction):
    """Brings a job's row forward, registers its model and wakes the jobs that wait for it."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        dead_letters = DeadLetterQueue(scope, f"{construct_id}DeadLetters", name="job_events")
        super().__init__(
            scope,
            construct_id,
            name="job_events",
            description="State changes of Batch and SageMaker -> registry, models, dependents.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.minutes(2),
            environment=environment_of(
                JobEventsSettings, {**storage.variables(), **compute_variables(scope, defaults)}
            ),
            statements=[
                allow.change_registry(storage.registry),
                allow.list_bucket(storage.lake),
                allow.read_objects(storage.lake, naming.MODELS_PREFIX),
                allow.stop_jobs(scope),
                allow.stop_training_jobs(scope),
                *registration_statements(storage),
            ],
            dead_letters=dead_letters,
        )
        self.dead_letters = dead_letters
        target = targets.LambdaFunction(
            self,
            dead_letter_queue=dead_letters,
            retry_attempts=5,
            max_event_age=Duration.hours(1),
        )
        events.Rule(
            scope,
            f"{construct_id}Rule",
            description="What happens to our Batch jobs.",
            event_pattern=events.EventPattern(
                source=["aws.batch"],
                # The second tells why a job at the head of the queue cannot start.
                detail_type=["Batch Job State Change", "Batch Job Queue Blocked"],
                detail={"jobQueue": allow.job_queue_arns(scope)},
            ),
            targets=[target],
        )
        events.Rule(
            scope,
            f"{construct_id}TrainingRule",
            description="State changes of our training jobs.",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Training Job State Change"],
                detail={"TrainingJobName": events.Match.prefix(naming.TRAINING_JOB_PREFIX)},
            ),
            targets=[target],
        )
