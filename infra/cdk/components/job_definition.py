"""How a job's container is run: image, resources, environment, rights and what is tried again."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Size
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.cdk import naming

_ATTEMPTS = 3
_TIMEOUT = Duration.days(1)
# batch_jobs exits with this code when it was interrupted and has saved its state.
_INTERRUPTED_EXIT_CODE = "75"


class JobRole(iam.Role):
    """What the code of a job may do."""

    def __init__(self, scope: Construct, construct_id: str, *, statements: Sequence[iam.PolicyStatement]) -> None:
        super().__init__(
            scope,
            construct_id,
            assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"),
            description="What the code of a job may do.",
            inline_policies={"Access": iam.PolicyDocument(statements=list(statements))},
        )


class JobDefinition(batch.EcsJobDefinition):
    """Jobs of one container: dispatch overrides command, resources, time and the job's own variables."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        environment: Mapping[str, str],
        job_role: iam.Role,
        execution_role: iam.IRole | None = None,
        name: str = naming.JOB_DEFINITION,
        prefix: str = "",
    ) -> None:
        container = _build_container(
            scope, prefix, image=image, environment=environment, job_role=job_role, execution_role=execution_role
        )
        super().__init__(
            scope,
            construct_id,
            job_definition_name=name,
            container=container,
            timeout=_TIMEOUT,
            retry_attempts=_ATTEMPTS,
            retry_strategies=_retries(),
        )


class MultinodeJobDefinition(batch.MultiNodeJobDefinition):
    """The same container on several machines at once; dispatch says on how many. Node 0 is the main one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ecs.ContainerImage,
        environment: Mapping[str, str],
        job_role: iam.Role,
        execution_role: iam.IRole,
    ) -> None:
        container = _build_container(
            scope, "Node", image=image, environment=environment, job_role=job_role, execution_role=execution_role
        )
        super().__init__(
            scope,
            construct_id,
            job_definition_name=naming.MULTINODE_JOB_DEFINITION,
            main_node=0,
            containers=[batch.MultiNodeContainer(container=container, start_node=0, end_node=1)],
            timeout=_TIMEOUT,
            retry_attempts=_ATTEMPTS,
            retry_strategies=_retries(),
        )
        definition = self.node.default_child
        assert isinstance(definition, batch.CfnJobDefinition)  # noqa: S101 - the construct's own kind
        # An open end lets a submission choose the number; the construct writes closed ranges only.
        definition.add_property_override("NodeProperties.NodeRangeProperties.0.TargetNodes", "0:")


def _build_container(
    scope: Construct,
    prefix: str,
    *,
    image: ecs.ContainerImage,
    environment: Mapping[str, str],
    job_role: iam.Role,
    execution_role: iam.IRole | None = None,
) -> batch.EcsEc2ContainerDefinition:
    return batch.EcsEc2ContainerDefinition(
        scope,
        f"{prefix}Container",
        image=image,
        cpu=2,
        memory=Size.mebibytes(8_192),
        command=["python", "-m", "batch_jobs", "train"],
        environment=dict(environment),
        job_role=job_role,
        execution_role=execution_role,
        # An init process hands SIGTERM on and buries the children of data loaders.
        linux_parameters=batch.LinuxParameters(scope, f"{prefix}LinuxParameters", init_process_enabled=True),
        ulimits=[
            batch.Ulimit(name=batch.UlimitName.NPROC, soft_limit=8_192, hard_limit=8_192),
            batch.Ulimit(name=batch.UlimitName.NOFILE, soft_limit=65_536, hard_limit=65_536),
        ],
    )


def _retries() -> list[batch.RetryStrategy]:
    return [
        _retry(batch.Action.RETRY, batch.Reason.custom(on_exit_code=_INTERRUPTED_EXIT_CODE)),
        _retry(batch.Action.RETRY, batch.Reason.custom(on_status_reason="Host EC2*")),
        # What no rule names would be tried again: a wrong hyperparameter does not get better by repetition.
        _retry(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
    ]


def _retry(action: batch.Action, reason: batch.Reason) -> batch.RetryStrategy:
    return batch.RetryStrategy(action, reason)
