"""How a job's container is run: image, resources, environment, rights and what is tried again."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk import naming

_ATTEMPTS = 3
# batch_jobs exits with this code when it was interrupted and has saved its state.
_INTERRUPTED_EXIT_CODE = "75"


class ImageRepository(ecr.Repository):
    """Images of the job container; a tag never changes its meaning."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope,
            construct_id,
            repository_name=naming.IMAGE_REPOSITORY,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[ecr.LifecycleRule(description="Keep the newest images", max_image_count=20)],
        )


class JobDefinition(batch.EcsJobDefinition):
    """Every kind of job: dispatch overrides command, resources, time and the job's own variables."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        job_role = iam.Role(
            scope,
            "JobRole",
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            description="What the code of a job may do.",
            inline_policies={"Access": iam.PolicyDocument(statements=list(statements))},
        )
        super().__init__(
            scope,
            construct_id,
            job_definition_name=naming.JOB_DEFINITION,
            container=batch.EcsEc2ContainerDefinition(
                scope,
                "Container",
                image=image,
                cpu=2,
                memory=Size.mebibytes(8_192),
                command=["python", "-m", "batch_jobs", "train"],
                environment=dict(environment),
                job_role=job_role,
                # An init process hands SIGTERM on and buries the children of data loaders.
                linux_parameters=batch.LinuxParameters(scope, "LinuxParameters", init_process_enabled=True),
                ulimits=[
                    batch.Ulimit(name=batch.UlimitName.NPROC, soft_limit=8_192, hard_limit=8_192),
                    batch.Ulimit(name=batch.UlimitName.NOFILE, soft_limit=65_536, hard_limit=65_536),
                ],
            ),
            timeout=Duration.days(1),
            retry_attempts=_ATTEMPTS,
            retry_strategies=[
                _retry(batch.Action.RETRY, batch.Reason.custom(on_exit_code=_INTERRUPTED_EXIT_CODE)),
                _retry(batch.Action.RETRY, batch.Reason.custom(on_status_reason="Host EC2*")),
                # What no rule names would be tried again: a wrong hyperparameter does not get better by repetition.
                _retry(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
            ],
        )


def _retry(action: batch.Action, reason: batch.Reason) -> batch.RetryStrategy:
    return batch.RetryStrategy(action, reason)
