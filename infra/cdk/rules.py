"""AWS's checks of the whole app (cdk-nag, AwsSolutions), and each finding that we decided to live with.

An acknowledgement names the construct as well as the rule, so that the next violation elsewhere still fails.
"""

from dataclasses import dataclass

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from infra.cdk import naming
from infra.cdk.assets import ALL_FUNCTIONS
from infra.cdk.components.http_api import WEBHOOK_PATH

_API = f"{naming.APPLICATION_STACK}/HttpApi"
# How the checks print what a template refers to.
_LANDING = f"{naming.STATEFUL_STACK}:ExportsOutputFnGetAttLandingF95672E9Arn83323F3E"
_LAKE = f"{naming.STATEFUL_STACK}:ExportsOutputFnGetAttLake5F1B88EAArn65E67816"
_ACCOUNT = "<AWS::Region>:<AWS::AccountId>"
_SPARK_APPLICATION = f"{naming.SPARK_STACK}:ExportsOutputFnGetAttSparkApplicationId4A65717B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Rules that do not hold below some constructs, and why that is right."""

    rules: tuple[str, ...]
    paths: tuple[str, ...]
    reason: str


def _wildcards(*resources: str) -> tuple[str, ...]:
    return tuple(f"AwsSolutions-IAM5[Resource::{resource}]" for resource in resources)


ACKNOWLEDGEMENTS = (
    Acknowledgement(
        rules=("AwsSolutions-S1",),
        paths=(f"{naming.STATEFUL_STACK}/Landing", f"{naming.STATEFUL_STACK}/Lake"),
        reason="Every change goes through the API, which keeps an audit trail; CloudTrail data events are the "
        "account's decision and record more than server access logs.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-SMG4",),
        paths=(f"{naming.STATEFUL_STACK}/CursorSecret",),
        reason="It signs list cursors that live for minutes and grant nothing; a rotation would break lists at work.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-SMG4",),
        paths=(f"{naming.STATEFUL_STACK}/AuditSecret",),
        reason="It signs the seals of audit trails: with another secret none of the former ones could be verified.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-VPC7",),
        paths=(f"{naming.BATCH_STACK}/Network",),
        reason="Nothing listens in this network: its one security group lets nobody in.",
    ),
    Acknowledgement(
        rules=tuple(
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{policy}]"
            for policy in ("AmazonAPIGatewayPushToCloudWatchLogs", "AmazonEC2ContainerServiceforEC2Role")
        ),
        paths=(f"{_API}/CloudWatchRole", f"{naming.BATCH_STACK}/Compute/InstanceRole"),
        reason="AWS's own services act through these two roles, and AWS says which rights they need.",
    ),
    Acknowledgement(
        rules=_wildcards(
            f"{_LANDING}/{naming.UPLOADS_PREFIX}*",
            f"{_LANDING}/{naming.DROP_PREFIX}*",
            f"{_LAKE}/{naming.DATASETS_PREFIX}*",
            f"{_LAKE}/{naming.JOBS_PREFIX}*",
            f"{_LAKE}/{naming.SOURCES_PREFIX}*",
            f"{_LAKE}/{naming.STUDIES_PREFIX}*",
            f"{_LAKE}/{naming.CHECKPOINTS_PREFIX}*",
            f"{_LAKE}/{naming.ARCHIVES_PREFIX}*",
            f"{_LAKE}/{naming.MODELS_PREFIX}*",
            f"{_LAKE}/{naming.QUERIES_PREFIX}*",
            f"{_LAKE}/{naming.CAPTURES_PREFIX}*",
            f"{_LAKE}/{naming.PREDICTIONS_PREFIX}*",
            f"{_LAKE}/{naming.PREDICTION_INPUTS_PREFIX}*",
            f"{_LAKE}/{naming.SPARK_PREFIX}*",
            f"{_LAKE}/{naming.SPARK_RUNS_PREFIX}*",
        ),
        paths=(naming.APPLICATION_STACK, naming.BATCH_STACK, naming.SAGEMAKER_STACK, naming.SPARK_STACK),
        reason="Objects below a prefix: their keys are made from ids that do not exist yet.",
    ),
    Acknowledgement(
        rules=_wildcards(
            *(
                f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.function_log_group(name)}:log-stream:*"
                for name in ALL_FUNCTIONS
            ),
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.function_log_group('*')}",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.TRAINING_LOG_GROUP}:*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.JOB_LOG_GROUP}:log-stream:*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.JOB_LOG_GROUP}:*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.TRAINING_LOG_GROUP}:log-stream:*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.SERVING_LOG_GROUPS}*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.SERVING_LOG_GROUPS}*:log-stream:*",
            f"arn:<AWS::Partition>:logs:{_ACCOUNT}:log-group:{naming.SPARK_LOG_GROUP}:log-stream:*",
        ),
        paths=(naming.APPLICATION_STACK, naming.BATCH_STACK, naming.SAGEMAKER_STACK, naming.SPARK_STACK),
        reason="Streams of one log group, and the groups of our endpoints: Lambda, Batch and SageMaker name them.",
    ),
    Acknowledgement(
        rules=_wildcards(
            f"arn:<AWS::Partition>:batch:{_ACCOUNT}:job-definition/{naming.JOB_DEFINITION}:*",
            f"arn:<AWS::Partition>:batch:{_ACCOUNT}:job-definition/{naming.COLLECT_JOB_DEFINITION}:*",
            f"arn:<AWS::Partition>:batch:{_ACCOUNT}:job-definition/{naming.TRANSFER_JOB_DEFINITION}:*",
            f"arn:<AWS::Partition>:batch:{_ACCOUNT}:job-definition/{naming.MULTINODE_JOB_DEFINITION}:*",
            f"arn:<AWS::Partition>:batch:{_ACCOUNT}:job/*",
            f"arn:<AWS::Partition>:sagemaker:{_ACCOUNT}:training-job/{naming.TRAINING_JOB_PREFIX}*",
            *(
                f"arn:<AWS::Partition>:sagemaker:{_ACCOUNT}:{kind}/{naming.HOST_PREFIX}*"
                for kind in ("model", "endpoint-config", "endpoint")
            ),
        ),
        paths=(naming.APPLICATION_STACK,),
        reason="Revisions of our job definitions, jobs (Batch makes up their ids), and SageMaker's with our prefix.",
    ),
    Acknowledgement(
        rules=_wildcards(
            f"arn:<AWS::Partition>:secretsmanager:{_ACCOUNT}:secret:{naming.SOURCE_SECRETS}*",
            f"arn:<AWS::Partition>:secretsmanager:{_ACCOUNT}:secret:{naming.SOURCE_SECRETS}{naming.WEBHOOK_SECRET}-??????",
            f"arn:<AWS::Partition>:secretsmanager:{_ACCOUNT}:secret:{naming.SOURCE_SECRETS}{naming.PII_KEY}-??????",
            f"arn:<AWS::Partition>:secretsmanager:{_ACCOUNT}:secret:{naming.WORKSPACE_SECRETS}",
        ),
        paths=(naming.APPLICATION_STACK, naming.BATCH_STACK, naming.SAGEMAKER_STACK),
        reason="Secrets of workspaces and their sources: their names are made from ids that do not exist yet.",
    ),
    Acknowledgement(
        rules=_wildcards(f"arn:<AWS::Partition>:secretsmanager:{_ACCOUNT}:secret:{naming.CHANNEL_SECRETS}"),
        paths=(naming.APPLICATION_STACK,),
        reason="Secrets of notification channels: the same.",
    ),
    Acknowledgement(
        rules=_wildcards(
            f"arn:<AWS::Partition>:glue:{_ACCOUNT}:database/{naming.DATABASE_PREFIX}*",
            f"arn:<AWS::Partition>:glue:{_ACCOUNT}:table/{naming.DATABASE_PREFIX}*/*",
        ),
        paths=(naming.APPLICATION_STACK, naming.SPARK_STACK),
        reason="A database for each workspace and a table for each dataset version, which come and go.",
    ),
    Acknowledgement(
        rules=_wildcards("*"),
        paths=(
            *(f"{naming.APPLICATION_STACK}/{name}Role" for name in ("Api", "Dispatch", "Reconciler")),
            f"{naming.BATCH_STACK}/Container/ExecutionRole",
            f"{naming.SAGEMAKER_STACK}/TrainingRole",
            f"{naming.SAGEMAKER_STACK}/ServingRole",
        ),
        reason="batch:DescribeJobQueues, batch:DescribeJobs, batch:ListJobs, cloudwatch:DescribeAlarms, "
        "cloudwatch:GetMetricData, cloudwatch:PutMetricData, ecr:GetAuthorizationToken, logs:GetQueryResults, "
        "logs:StopQuery, sagemaker:ListEndpoints and secretsmanager:ListSecrets know no resource.",
    ),
    Acknowledgement(
        rules=_wildcards(
            f"arn:<AWS::Partition>:emr-serverless:{_ACCOUNT}:/applications/{_SPARK_APPLICATION}/jobruns/*"
        ),
        paths=(f"{naming.BATCH_STACK}/JobRole",),
        reason="Runs of one application: the service names them.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-L1",),
        paths=(naming.APPLICATION_STACK,),
        reason="The wheels in the layers are built and tested for this Python.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-SQS3",),
        paths=tuple(
            f"{naming.APPLICATION_STACK}/{name}DeadLetters" for name in ("Dispatch", "JobEvents", "Notifications")
        ),
        reason="They are dead-letter queues, of a stream mapping and of an event rule.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG2",),
        paths=(_API,),
        reason="The functions validate every request against the models that the OpenAPI document is made from.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG3",),
        paths=(_API,),
        reason="A web ACL has a monthly price; accounts that need one attach it to the stage.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-COG4",),
        paths=(_API,),
        reason="Callers are programs with API keys beside people: a Lambda authorizer closes the routes for both.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG4",),
        paths=tuple(
            f"{_API}/Default{path}/GET"
            for path in ("/v1/docs", "/v1/openapi.json", "/v2/health/live", "/v2/health/ready")
        ),
        reason="Documentation and liveness carry no data, and browsers and load balancers have no key.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-COG1", "AwsSolutions-COG2", "AwsSolutions-COG8"),
        paths=(f"{naming.IDENTITY_STACK}/UserPool",),
        reason="Twelve characters of three kinds do more than a special one (NIST SP 800-63B); a second factor is each "
        "person's choice; guesses are counted by the API, and the plus tier has a price for each user.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG4",),
        paths=tuple(f"{_API}/Default{path}/POST" for path in ("/v1/sessions", "/v1/sessions/refresh")),
        reason="Who signs in has no session yet; guesses are counted.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG4",),
        paths=tuple(f"{_API}/Default{path}/ANY" for path in ("", "/console", "/console/{proxy+}")),
        reason="The console's files are the same for everybody, and it is where people sign in.",
    ),
    Acknowledgement(
        rules=("AwsSolutions-APIG4",),
        paths=(f"{_API}/Default{WEBHOOK_PATH}/POST",),
        reason="A webhook's sender has no key: each delivery is signed with the secret of its source.",
    ),
)


def add_rules(app: cdk.App) -> None:
    """Makes the synthesis fail on whatever is not acknowledged.

    Raises:
        ValueError: an acknowledgement names a construct that does not exist.
    """
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    for entry in ACKNOWLEDGEMENTS:
        acknowledgments = [cdk.Acknowledgment(id=rule, reason=entry.reason) for rule in entry.rules]
        for path in entry.paths:
            if path.split("/")[0] in naming.OPTIONAL_STACKS and not app.node.try_find_child(path.split("/")[0]):
                continue
            cdk.Validations.of(_find(app, path)).acknowledge(*acknowledgments)


def _find(app: cdk.App, path: str) -> IConstruct:
    found: IConstruct = app
    for name in path.split("/"):
        child = found.node.try_find_child(name)
        if child is None:
            raise ValueError(f"no construct {path!r}: {name!r} is not in {found.node.path or 'the app'!r}")
        found = child
    return found
