"""How every Lambda function of the platform is made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.assets import ASSETS, CodeSource
from infra.cdk.components import permissions as allow

RUNTIME = lambda_.Runtime.PYTHON_3_12
# The wheels of the layers are built for this one.
ARCHITECTURE = lambda_.Architecture.X86_64
_MAX_EVENT_AGE = Duration.hours(1)


class Layer(lambda_.LayerVersion):
    """One of layers/*: our own code, or the third-party packages that a group of functions shares."""

    def __init__(self, scope: Construct, construct_id: str, *, asset: str, code: CodeSource, description: str) -> None:
        super().__init__(
            scope,
            construct_id,
            code=code.code_of(scope, ASSETS[asset]),
            description=description,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDefaults:
    """What functions share. `image` is the job container's (a tag or a digest), for those that start it;
    `live_settings` hold where a workspace says nothing."""

    code: CodeSource
    layers: Sequence[lambda_.ILayerVersion]
    log_retention: logs.RetentionDays
    image: str
    live_settings: Mapping[str, Mapping[str, object]]


class PlatformFunction(lambda_.Function):
    """functions/<name>, with a role and a log group of its own.

    The role gets exactly `statements` and the right to write its log. A `member` is a further handler of the same app.
    `dead_letters` keeps the events of asynchronous invocations that have failed three times. (That of a rule's target
    keeps only those that never reached the function.)
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        defaults: FunctionDefaults,
        memory_mib: int,
        timeout: Duration,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
        member: str | None = None,
        storage: Size | None = None,
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        full_name = name if member is None else f"{name}_{member}"
        log_group = logs.LogGroup(
            scope,
            f"{construct_id}Logs",
            log_group_name=naming.function_log_group(full_name),
            retention=defaults.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        own = [allow.write_function_logs(scope, full_name)]
        own += [allow.keep_dead_letters(dead_letters)] if dead_letters is not None else []
        role = iam.Role(
            scope,
            f"{construct_id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What functions/{name} may do.",
            inline_policies={"Access": iam.PolicyDocument(statements=[*statements, *own])},
        )
        super().__init__(
            scope,
            construct_id,
            function_name=naming.function(full_name),
            description=description,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"functions.{name}.app.{member or 'handler'}",
            code=defaults.code.code_of(scope, ASSETS[f"functions/{name}"]),
            layers=list(defaults.layers),
            memory_size=memory_mib,
            ephemeral_storage_size=storage,
            timeout=timeout,
            environment={"POWERTOOLS_SERVICE_NAME": full_name, **_live_settings(defaults), **environment},
            role=role,
            log_group=log_group,
        )
        if dead_letters is not None:
            # NOTE: the construct of a higher level would grant the role what it has.
            lambda_.CfnEventInvokeConfig(
                scope,
                f"{construct_id}AsyncConfig",
                function_name=self.function_name,
                qualifier="$LATEST",
                maximum_retry_attempts=2,
                maximum_event_age_in_seconds=int(_MAX_EVENT_AGE.to_seconds()),
                destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                    on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=dead_letters.queue_arn)
                ),
            )


def _live_settings(defaults: FunctionDefaults) -> dict[str, str]:
    """NOTE: not a field of each function's settings: all of them have it."""
    if not defaults.live_settings:
        return {}
    return {"AIMASS_DEPLOYMENT_SETTINGS": json.dumps(defaults.live_settings, sort_keys=True)}
