"""Every fixed name of the deployment. An environment is one AWS account and region, so names need no suffix.

Names are fixed where something outside CloudFormation has to know them: people who drop files, the Batch executor
beside LocalStack, policies that cross stacks. Everything else is named by CloudFormation.
"""

STATEFUL_STACK = "AimassStateful"
APPLICATION_STACK = "AimassApplication"
BATCH_STACK = "AimassBatch"
SAGEMAKER_STACK = "AimassSageMaker"
QUERIES_STACK = "AimassQueries"
IDENTITY_STACK = "AimassIdentity"
SPARK_STACK = "AimassSpark"
BUDGET_STACK = "AimassBudget"
# Not in every environment.
OPTIONAL_STACKS = (SPARK_STACK, BUDGET_STACK)

REGISTRY_TABLE = "aimass-registry"
STUDIES_TABLE = "aimass-studies"
IDEMPOTENCY_TABLE = "aimass-idempotency"
INGEST_QUEUE = "aimass-ingest"
NOTIFICATION_QUEUE = "aimass-notifications"
CURSOR_SECRET = "aimass/cursor-signing"  # noqa: S105 - a name, not a secret
# aimass_core.domain.keys says the same; a test compares both.
AUDIT_SECRET = "aimass/audit-signing"  # noqa: S105 - a name, not a secret
# aimass_core.domain.keys.source_secret makes the names; a test compares both.
SOURCE_SECRETS = "aimass/ws_*/sources/src_*/"
# The same of aimass_core.domain.keys.channel_secret.
CHANNEL_SECRETS = "aimass/ws_*/notification-channels/nch_*/*"
# What the names of all secrets of workspaces begin with (aimass_core.domain.keys.workspace_secrets).
WORKSPACE_SECRETS = "aimass/ws_*"
WEBHOOK_SECRET = "webhook-signing"  # noqa: S105 - a name, not a secret
PII_KEY = "PII_KEY"

# aimass_core.domain.job_queues makes the names of the others from that of the first; a test compares both.
JOB_QUEUE = "aimass"
BACKGROUND_JOB_QUEUE = f"{JOB_QUEUE}-background"
GPU_JOB_QUEUE = f"{JOB_QUEUE}-gpu"
GPU_BACKGROUND_JOB_QUEUE = f"{JOB_QUEUE}-gpu-background"
NODES_JOB_QUEUE = f"{JOB_QUEUE}-nodes"
GPU_NODES_JOB_QUEUE = f"{JOB_QUEUE}-gpu-nodes"
JOB_QUEUES = (
    *(JOB_QUEUE, BACKGROUND_JOB_QUEUE, GPU_JOB_QUEUE, GPU_BACKGROUND_JOB_QUEUE),
    *(NODES_JOB_QUEUE, GPU_NODES_JOB_QUEUE),
)
JOB_DEFINITION = "aimass-batch-jobs"
COLLECT_JOB_DEFINITION = "aimass-batch-jobs-collect"
TRANSFER_JOB_DEFINITION = "aimass-batch-jobs-transfer"
MULTINODE_JOB_DEFINITION = "aimass-batch-jobs-multinode"
JOB_LOG_GROUP = "/aws/batch/job"
IMAGE_REPOSITORY = "aimass/batch-jobs"
TRAINING_ROLE = "aimass-training"
SERVING_ROLE = "aimass-serving"
SERVING_LOG_GROUPS = "/aws/sagemaker/Endpoints/aimass-"
# Every SageMaker endpoint of ours begins so (aimass_core.domain.hosts.to_host_name); a test compares both.
HOST_PREFIX = "aimass-"
TRAINING_LOG_GROUP = "/aws/sagemaker/TrainingJobs"
# Every training job of ours begins so (aimass_core.domain.compute_states.to_training_job_name); a test compares both.
TRAINING_JOB_PREFIX = "aimass-"

QUERY_WORKGROUP = "aimass"
SPARK_ROLE = "aimass-spark"
SPARK_RECIPES_ROLE = "aimass-spark-recipes"
SPARK_LOG_GROUP = "/aws/emr-serverless/aimass"
USER_POOL = "aimass"
# The Glue database of every workspace begins so (aimass_core.domain.tables.database_of); a test compares both.
DATABASE_PREFIX = "aimass_"

API_NAME = "aimass"
API_STAGE = "live"
# The emulators give a REST API this id where a tag asks for it, so that local URLs never change.
API_LOCAL_ID = "main"

# What lies under which prefix is decided in aimass_core.domain.keys; policies repeat it, and a test compares both.
UPLOADS_PREFIX = "uploads/"
DROP_PREFIX = "drop/"
DATASETS_PREFIX = "datasets/"
JOBS_PREFIX = "jobs/"
SOURCES_PREFIX = "sources/"
CHECKPOINTS_PREFIX = "jobs/*/checkpoints/"
ARCHIVES_PREFIX = "sources/*/archives/"
STUDIES_PREFIX = "studies/"
QUERIES_PREFIX = "queries/"
MODELS_PREFIX = "models/"
SPARK_PREFIX = "spark/"
SPARK_RUNS_PREFIX = "jobs/*/spark/"
CAPTURES_PREFIX = "captures/"
# The CloudWatch namespace of our own metrics, and what the names of our alarms begin with.
METRICS = "AIMass"
ALARM_PREFIX = "aimass-"
DASHBOARD = "aimass"
PREDICTIONS_PREFIX = "predictions/"
PREDICTION_INPUTS_PREFIX = "predictions/*/inputs/"
# Of partitions of the registry.
COUNTERS_PREFIX = "COUNTERS#"


def bucket(purpose: str) -> str:
    """A bucket's name: unique in the world, yet guessable for whoever drops files."""
    return f"aimass-{purpose}-${{AWS::AccountId}}-${{AWS::Region}}"


def function(name: str) -> str:
    """The name of the function whose code is functions/<name>."""
    return f"aimass-{name.replace('_', '-')}"


def dead_letters(name: str) -> str:
    """The name of the queue of what a function (or the ingest queue) could not process."""
    return f"{function(name)}-dead-letters"


def function_log_group(name: str) -> str:
    """Where Lambda writes the logs of a function."""
    return f"/aws/lambda/{function(name)}"
