"""The Chalice app functions/collectors: its webhook behind the API, and its schedule."""

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from aimass_core.settings import CollectorsSettings, CollectorsTickSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.environment import environment_of
from infra.cdk.components.functions import FunctionDefaults, PlatformFunction
from infra.cdk.components.storage import Storage


class Webhooks(PlatformFunction):
    """Takes what others send: into the drop folder, before it answers."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="collectors",
            description="Webhooks of sources -> the drop folder.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.seconds(29),
            environment=environment_of(
                CollectorsSettings,
                {"registry_table": storage.registry.table_name, "landing_bucket": storage.landing.bucket_name},
            ),
            statements=[
                allow.change_registry(storage.registry),
                allow.write_objects(storage.landing, naming.DROP_PREFIX),
                allow.read_source_secrets(scope, naming.WEBHOOK_SECRET),
                allow.read_source_secrets(scope, naming.PII_KEY),
            ],
        )


class CollectorsTick(PlatformFunction):
    """Begins the runs that are due. EventBridge Scheduler calls it each minute; the next one makes good for a lost one,
    so nothing is retried."""

    def __init__(self, scope: Construct, construct_id: str, *, defaults: FunctionDefaults, storage: Storage) -> None:
        super().__init__(
            scope,
            construct_id,
            name="collectors",
            member="tick",
            description="Every minute: runs of sources that are due.",
            defaults=defaults,
            memory_mib=512,
            timeout=Duration.minutes(1),
            environment=environment_of(CollectorsTickSettings, {"registry_table": storage.registry.table_name}),
            statements=[
                allow.change_registry(storage.registry),
                allow.query_registry_by_status(storage.registry),
            ],
        )
        # NOTE: the construct of a higher level would let the role call every version of the function.
        scheduler.CfnSchedule(
            scope,
            f"{construct_id}Schedule",
            description="The minute of the sources' schedules.",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function_arn,
                role_arn=_calling_role(scope, construct_id, function=self).role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )


def _calling_role(scope: Construct, construct_id: str, *, function: PlatformFunction) -> iam.Role:
    account, source_arn = Stack.of(scope).account, _schedules(scope)
    return iam.Role(
        scope,
        f"{construct_id}Caller",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": source_arn}},
        ),
        description="Lets EventBridge Scheduler call functions/collectors.",
        inline_policies={
            "Access": iam.PolicyDocument(
                statements=[iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])]
            )
        },
    )


def _schedules(scope: Construct) -> str:
    """The group of schedules, which is what AWS compares."""
    return Stack.of(scope).format_arn(
        service="scheduler",
        resource="schedule-group",
        resource_name="default",
        arn_format=ArnFormat.SLASH_RESOURCE_NAME,
    )
