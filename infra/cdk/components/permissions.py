"""The policy statements of which every role is composed: each names its actions and its resources."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cdk import naming

# --- registry ----------------------------------------------------------------------------------------------------


def read_registry(table: dynamodb.ITable) -> iam.PolicyStatement:
    """Rows by key and by partition."""
    return _allow(["dynamodb:GetItem", "dynamodb:Query"], [table.table_arn])


def change_registry(table: dynamodb.ITable) -> iam.PolicyStatement:
    """Conditional writes, alone and in transactions, beside reading."""
    return _allow(
        [
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
        ],
        [table.table_arn],
    )


def add_to_counters(table: dynamodb.ITable) -> iam.PolicyStatement:
    """Adding to counts, which lie beside the rows in partitions that no row is in."""
    return iam.PolicyStatement(
        actions=["dynamodb:UpdateItem"],
        resources=[table.table_arn],
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{naming.COUNTERS_PREFIX}*"]}},
    )


def query_registry_by_status(table: dynamodb.ITable) -> iam.PolicyStatement:
    """The index over every workspace."""
    return _allow(["dynamodb:Query"], [f"{table.table_arn}/index/gsi1"])


def change_studies(table: dynamodb.ITable) -> iam.PolicyStatement:
    """Trials and studies, alone, in batches and in transactions."""
    return _allow(
        [
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        ],
        [table.table_arn],
    )


def end_studies(table: dynamodb.ITable) -> iam.PolicyStatement:
    """Reading trials, and deleting a study with all of them."""
    return _allow(["dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:Query"], [table.table_arn])


def keep_idempotency(table: dynamodb.ITable) -> iam.PolicyStatement:
    """What Powertools does with its records."""
    return _allow(
        ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [table.table_arn]
    )


def read_stream(table: dynamodb.ITable) -> iam.PolicyStatement:
    """What an event source mapping needs of a table's stream."""
    assert table.table_stream_arn is not None  # noqa: S101 - the registry has a stream
    return _allow(
        ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
        [table.table_stream_arn],
    )


# --- buckets -----------------------------------------------------------------------------------------------------


def list_bucket(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Listing; without it S3 answers 403 instead of 404 for an absent key."""
    return _allow(["s3:ListBucket"], [bucket.bucket_arn])


def read_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Content and metadata below the prefixes."""
    return _allow(["s3:GetObject"], _objects(bucket, prefixes))


def write_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Whole or in parts, below the prefixes."""
    return _allow(
        ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"], _objects(bucket, prefixes)
    )


def delete_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Below the prefixes; where the bucket is versioned the bytes stay for a while."""
    return _allow(["s3:DeleteObject"], _objects(bucket, prefixes))


# --- queues, functions, secrets, logs ----------------------------------------------------------------------------


def send_messages(queue: sqs.IQueue) -> iam.PolicyStatement:
    """To one queue."""
    return _allow(["sqs:GetQueueAttributes", "sqs:SendMessage"], [queue.queue_arn])


def keep_dead_letters(queue: sqs.IQueue) -> iam.PolicyStatement:
    """What Lambda does for a function whose asynchronous invocations fail."""
    return _allow(["sqs:SendMessage"], [queue.queue_arn])


def handle_dead_letters(scope: Construct, *names: str) -> iam.PolicyStatement:
    """Looking at what could not be processed, and taking it away."""
    return _allow(
        [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
        ],
        [Stack.of(scope).format_arn(service="sqs", resource=naming.dead_letters(name)) for name in names],
    )


def measure_dead_letters(scope: Construct, *names: str) -> iam.PolicyStatement:
    """How many there are."""
    arns = [Stack.of(scope).format_arn(service="sqs", resource=naming.dead_letters(name)) for name in names]
    return _allow(["sqs:GetQueueAttributes", "sqs:GetQueueUrl"], arns)


def invoke_function(scope: Construct, name: str) -> iam.PolicyStatement:
    """One of our functions, by its name in functions/."""
    arn = _arn(scope, "lambda", "function", naming.function(name), arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(["lambda:InvokeFunction"], [arn])


def read_secret(scope: Construct, name: str) -> iam.PolicyStatement:
    """One secret's value. NOTE: Secrets Manager ends its ARN with six random characters."""
    arn = _arn(scope, "secretsmanager", "secret", name, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(["secretsmanager:GetSecretValue"], [f"{arn}-??????"])


def keep_accounts(pool: cognito.IUserPool) -> iam.PolicyStatement:
    """Making and ending accounts, and signing people in with what they send."""
    return _allow(
        [
            "cognito-idp:AdminCreateUser",
            "cognito-idp:AdminDeleteUser",
            "cognito-idp:AdminGetUser",
            "cognito-idp:AdminInitiateAuth",
            "cognito-idp:AdminRespondToAuthChallenge",
            "cognito-idp:AdminSetUserMFAPreference",
            "cognito-idp:AdminSetUserPassword",
        ],
        [pool.user_pool_arn],
    )


def read_source_secrets(scope: Construct, name: str | None = None) -> iam.PolicyStatement:
    """What users have set for their sources; with a name, that secret of every source."""
    ending = "*" if name is None else f"{name}-??????"
    return _allow(["secretsmanager:GetSecretValue"], [_source_secrets(scope, ending)])


def change_source_secrets(scope: Construct) -> iam.PolicyStatement:
    """Setting and deleting them, without reading any."""
    return _allow(
        ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue"],
        [_source_secrets(scope, "*")],
    )


def read_channel_secrets(scope: Construct) -> iam.PolicyStatement:
    """Where notifications go, and what signs them."""
    return _allow(["secretsmanager:GetSecretValue"], [_channel_secrets(scope)])


def change_channel_secrets(scope: Construct) -> iam.PolicyStatement:
    """Setting and deleting them, without reading any."""
    return _allow(
        ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue"],
        [_channel_secrets(scope)],
    )


def send_mail(scope: Construct, sender: str) -> iam.PolicyStatement:
    """From one address, by its own identity in SES or its domain's."""
    identities = dict.fromkeys([sender, sender.rpartition("@")[2]])
    return _allow(["ses:SendEmail"], [_arn(scope, "ses", "identity", identity) for identity in identities])


def _channel_secrets(scope: Construct) -> str:
    return _arn(scope, "secretsmanager", "secret", naming.CHANNEL_SECRETS, arn_format=ArnFormat.COLON_RESOURCE_NAME)


def end_secrets(scope: Construct) -> list[iam.PolicyStatement]:
    """Finding and deleting those of workspaces. NOTE: Secrets Manager lists all names of an account or none."""
    arn = _arn(scope, "secretsmanager", "secret", naming.WORKSPACE_SECRETS, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return [_allow(["secretsmanager:DeleteSecret"], [arn]), _allow(["secretsmanager:ListSecrets"], ["*"])]


def _source_secrets(scope: Construct, ending: str) -> str:
    name = f"{naming.SOURCE_SECRETS}{ending}"
    return _arn(scope, "secretsmanager", "secret", name, arn_format=ArnFormat.COLON_RESOURCE_NAME)


def read_job_logs(scope: Construct) -> iam.PolicyStatement:
    """What the containers print. NOTE: AWS checks the stream; the emulator, where it enforces roles, the group."""
    arn = _arn(scope, "logs", "log-group", naming.JOB_LOG_GROUP, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(["logs:GetLogEvents"], [arn, f"{arn}:log-stream:*"])


def read_training_logs(scope: Construct) -> iam.PolicyStatement:
    """What training jobs print. SageMaker tells nobody the names of their streams, so they are looked for."""
    arn = training_log_group_arn(scope)
    return _allow(["logs:DescribeLogStreams", "logs:GetLogEvents"], [arn, f"{arn}:log-stream:*"])


def search_logs(scope: Construct) -> list[iam.PolicyStatement]:
    """Of our functions and of containers. NOTE: the answers of a query know no resource."""
    groups = (naming.function_log_group("*"), naming.JOB_LOG_GROUP, naming.TRAINING_LOG_GROUP)
    arns = [_arn(scope, "logs", "log-group", group, arn_format=ArnFormat.COLON_RESOURCE_NAME) for group in groups]
    # NOTE: AWS checks a group with a colon and a star after it, the emulator without.
    started = _allow(["logs:StartQuery"], [*arns, *(f"{arn}:*" for arn in arns[1:])])
    return [started, _allow(["logs:GetQueryResults", "logs:StopQuery"], ["*"])]


def watch_figures() -> iam.PolicyStatement:
    """Figures, alarms, and the state of Batch's queue. NOTE: none of these knows a resource."""
    return _allow(["batch:DescribeJobQueues", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], ["*"])


def write_training_logs(scope: Construct) -> iam.PolicyStatement:
    """What SageMaker does for its containers."""
    arn = training_log_group_arn(scope)
    return _allow(
        ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], [arn, f"{arn}:log-stream:*"]
    )


def training_log_group_arn(scope: Construct) -> str:
    """By name and not by reference: SageMaker may be served outside this CloudFormation."""
    return _arn(scope, "logs", "log-group", naming.TRAINING_LOG_GROUP, arn_format=ArnFormat.COLON_RESOURCE_NAME)


def write_spark_logs(scope: Construct) -> iam.PolicyStatement:
    """What EMR Serverless does for a job."""
    arn = _arn(scope, "logs", "log-group", naming.SPARK_LOG_GROUP, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(
        ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], [arn, f"{arn}:log-stream:*"]
    )


def run_spark(scope: Construct, *, application_id: str, role_arn: str) -> list[iam.PolicyStatement]:
    """Runs of one application, under the one role that they may have."""
    application = _arn(scope, "emr-serverless", "/applications", application_id)
    return [
        _allow(["emr-serverless:StartJobRun"], [application]),
        _allow(
            ["emr-serverless:CancelJobRun", "emr-serverless:GetJobRun", "emr-serverless:TagResource"],
            [f"{application}/jobruns/*"],
        ),
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}},
        ),
    ]


def spark_recipes_role_arn(scope: Construct) -> str:
    """By name, so that it is no reference between stacks."""
    name = naming.SPARK_RECIPES_ROLE
    return Stack.of(scope).format_arn(service="iam", region="", resource="role", resource_name=name)


def let_spark_pull(scope: Construct) -> iam.PolicyStatement:
    """Of an image repository: the applications of this account."""
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("emr-serverless.amazonaws.com")],
        actions=["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"],
        conditions={"StringLike": {"aws:SourceArn": _arn(scope, "emr-serverless", "/applications", "*")}},
    )


def write_function_logs(scope: Construct, name: str) -> iam.PolicyStatement:
    """A function's own log group."""
    group = naming.function_log_group(name)
    arn = _arn(scope, "logs", "log-group", group, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{arn}:log-stream:*"])


# --- SQL ---------------------------------------------------------------------------------------------------------


def run_queries(scope: Construct) -> iam.PolicyStatement:
    """In our workgroup, which bounds what they read and where their rows go."""
    return _allow(
        [
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        ],
        [_workgroup(scope)],
    )


def follow_queries(scope: Construct) -> iam.PolicyStatement:
    """Seeing how far they are, and ending them."""
    return _allow(
        ["athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution"], [_workgroup(scope)]
    )


def change_tables(scope: Construct) -> iam.PolicyStatement:
    """Databases of ours and all tables in them."""
    return _allow(
        [
            "glue:BatchCreatePartition",
            "glue:CreateDatabase",
            "glue:CreateTable",
            "glue:DeleteTable",
            "glue:GetDatabase",
            "glue:GetPartitions",
            "glue:GetTable",
            "glue:UpdateTable",
        ],
        _catalog(scope),
    )


def read_tables(scope: Construct) -> iam.PolicyStatement:
    """Databases of ours and all tables in them."""
    return _allow(["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"], _catalog(scope))


def drop_databases(scope: Construct) -> iam.PolicyStatement:
    """Of workspaces, with all tables in them."""
    return _allow(["glue:DeleteDatabase"], _catalog(scope))


def locate_bucket(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Athena asks where its results go."""
    return _allow(["s3:GetBucketLocation"], [bucket.bucket_arn])


def _workgroup(scope: Construct) -> str:
    return _arn(scope, "athena", "workgroup", naming.QUERY_WORKGROUP)


def _catalog(scope: Construct) -> list[str]:
    """NOTE: Glue asks for the right to the catalogue and the database beside that to the table."""
    return [
        Stack.of(scope).format_arn(service="glue", resource="catalog"),
        _arn(scope, "glue", "database", f"{naming.DATABASE_PREFIX}*"),
        _arn(scope, "glue", "table", f"{naming.DATABASE_PREFIX}*/*"),
    ]


# --- Batch -------------------------------------------------------------------------------------------------------


def submit_jobs(scope: Construct) -> iam.PolicyStatement:
    """Our definitions (any revision) to our queues."""
    names = (
        naming.JOB_DEFINITION,
        naming.COLLECT_JOB_DEFINITION,
        naming.TRANSFER_JOB_DEFINITION,
        naming.MULTINODE_JOB_DEFINITION,
    )
    definitions = [job_definition_arn(scope, name) for name in names]
    return _allow(
        ["batch:SubmitJob"],
        [*job_queue_arns(scope), *definitions, *(f"{definition}:*" for definition in definitions)],
    )


def watch_jobs() -> iam.PolicyStatement:
    """Finding and describing jobs. NOTE: Batch knows no resource-level permission for these two."""
    return _allow(["batch:DescribeJobs", "batch:ListJobs"], ["*"])


def stop_jobs(scope: Construct) -> iam.PolicyStatement:
    """Any job of the account: a job's id is not known before it runs."""
    return _allow(["batch:TerminateJob"], [_arn(scope, "batch", "job", "*")])


# --- SageMaker ---------------------------------------------------------------------------------------------------


def run_training_jobs(scope: Construct) -> list[iam.PolicyStatement]:
    """Our training jobs, under the one role that they may have."""
    jobs = _allow(
        ["sagemaker:AddTags", "sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"], [_training_jobs(scope)]
    )
    role = iam.PolicyStatement(
        actions=["iam:PassRole"],
        resources=[training_role_arn(scope)],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )
    return [jobs, role]


def stop_training_jobs(scope: Construct) -> iam.PolicyStatement:
    """Our training jobs."""
    return _allow(["sagemaker:StopTrainingJob"], [_training_jobs(scope)])


def create_hosts(scope: Construct) -> list[iam.PolicyStatement]:
    """Containers of our endpoints, under the one role that they may have."""
    hosts = _allow(
        [
            "sagemaker:CreateEndpoint",
            "sagemaker:CreateEndpointConfig",
            "sagemaker:CreateModel",
            "sagemaker:DescribeEndpoint",
        ],
        _hosts(scope, "model", "endpoint-config", "endpoint"),
    )
    role = iam.PolicyStatement(
        actions=["iam:PassRole"],
        resources=[serving_role_arn(scope)],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )
    return [hosts, role]


def delete_hosts(scope: Construct) -> list[iam.PolicyStatement]:
    """Those that no endpoint wants any more. NOTE: ListEndpoints knows no resource-level permission."""
    deleted = _allow(
        ["sagemaker:DeleteEndpoint", "sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"],
        _hosts(scope, "model", "endpoint-config", "endpoint"),
    )
    return [deleted, _allow(["sagemaker:ListEndpoints"], ["*"])]


def ask_hosts(scope: Construct) -> iam.PolicyStatement:
    """The containers of our endpoints."""
    return _allow(["sagemaker:InvokeEndpoint"], _hosts(scope, "endpoint"))


def write_serving_logs(scope: Construct) -> iam.PolicyStatement:
    """What SageMaker does for the containers of our endpoints, each of which has a log group of its own."""
    name = f"{naming.SERVING_LOG_GROUPS}*"
    arn = _arn(scope, "logs", "log-group", name, arn_format=ArnFormat.COLON_RESOURCE_NAME)
    return _allow(
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [arn, f"{arn}:log-stream:*"],
    )


def serving_role_arn(scope: Construct) -> str:
    """By name, as everything of SageMaker."""
    return Stack.of(scope).format_arn(service="iam", region="", resource="role", resource_name=naming.SERVING_ROLE)


def _hosts(scope: Construct, *kinds: str) -> list[str]:
    return [_arn(scope, "sagemaker", kind, f"{naming.HOST_PREFIX}*") for kind in kinds]


def training_role_arn(scope: Construct) -> str:
    """By name, as everything of SageMaker."""
    return Stack.of(scope).format_arn(service="iam", region="", resource="role", resource_name=naming.TRAINING_ROLE)


def pull_image(scope: Construct) -> iam.PolicyStatement:
    """The job container's."""
    return _allow(
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        [_arn(scope, "ecr", "repository", naming.IMAGE_REPOSITORY)],
    )


def log_in_to_images() -> iam.PolicyStatement:
    """NOTE: ECR knows no resource-level permission for it."""
    return _allow(["ecr:GetAuthorizationToken"], ["*"])


def put_training_metrics() -> iam.PolicyStatement:
    """The load of the instances. NOTE: CloudWatch knows no resource; the condition names what SageMaker writes to."""
    return iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": naming.TRAINING_LOG_GROUP}},
    )


def _training_jobs(scope: Construct) -> str:
    return _arn(scope, "sagemaker", "training-job", f"{naming.TRAINING_JOB_PREFIX}*")


def job_queue_arns(scope: Construct) -> list[str]:
    """By name and not by reference: Batch may be served outside this CloudFormation."""
    return [_arn(scope, "batch", "job-queue", name) for name in naming.JOB_QUEUES]


def job_definition_arn(scope: Construct, name: str) -> str:
    """Without a revision, which means the newest."""
    return _arn(scope, "batch", "job-definition", name)


def _allow(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def _objects(bucket: s3.IBucket, prefixes: Sequence[str]) -> list[str]:
    return [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]


def _arn(
    scope: Construct,
    service: str,
    resource: str,
    name: str,
    *,
    arn_format: ArnFormat = ArnFormat.SLASH_RESOURCE_NAME,
) -> str:
    return Stack.of(scope).format_arn(service=service, resource=resource, resource_name=name, arn_format=arn_format)
