"""What no emulator enforces, statement by statement: the rights of containers, and those of functions to compute."""

import re
from collections.abc import Iterable

from infra.cdk import naming
from tests.infra.templates import Statement, Template, to_text

Rights = set[tuple[str, str]]

_IMPORTED = re.compile(r"^<.*FnGetAtt(Registry|Studies|Landing|Lake|IngestQueue)[0-9A-F]{8}.*?>")
_WRITING = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject")
_ROWS = ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query")
_TRIALS = ("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
_OWN = ("datasets", "jobs", "studies")
_STREAM_READERS = ("Dispatch", "Notifications")
_DISPATCHERS = ("Dispatch", "Reconciler")
# All that have to do with compute, and what Lambda does in a function's name. Action to the functions that have it.
OF_FUNCTIONS = {
    "batch:DescribeJobQueues": ("Api",),
    "batch:DescribeJobs": _DISPATCHERS,
    "batch:ListJobs": _DISPATCHERS,
    "batch:SubmitJob": _DISPATCHERS,
    "batch:TerminateJob": ("Api", "Dispatch", "JobEvents", "Reconciler"),
    "dynamodb:DescribeStream": _STREAM_READERS,
    "dynamodb:GetRecords": _STREAM_READERS,
    "dynamodb:GetShardIterator": _STREAM_READERS,
    "dynamodb:ListStreams": _STREAM_READERS,
    "iam:PassRole": _DISPATCHERS,
    "sagemaker:AddTags": _DISPATCHERS,
    "sagemaker:CreateEndpoint": _DISPATCHERS,
    "sagemaker:CreateEndpointConfig": _DISPATCHERS,
    "sagemaker:CreateModel": _DISPATCHERS,
    "sagemaker:CreateTrainingJob": _DISPATCHERS,
    "sagemaker:DeleteEndpoint": ("Reconciler",),
    "sagemaker:DeleteEndpointConfig": ("Reconciler",),
    "sagemaker:DeleteModel": ("Reconciler",),
    "sagemaker:DescribeEndpoint": _DISPATCHERS,
    "sagemaker:DescribeTrainingJob": _DISPATCHERS,
    "sagemaker:InvokeEndpoint": ("Predictions",),
    "sagemaker:ListEndpoints": ("Reconciler",),
    "sagemaker:StopTrainingJob": ("Api", "Dispatch", "JobEvents", "Reconciler"),
}


def rights(statements: Iterable[Statement], role: str) -> Rights:
    """Each action with each resource: `Lake/models/*`, `log-group:/aws/batch/job:*`, `*`."""
    found = {
        (action, _shorten(to_text(resource)))
        for statement in statements
        if statement.owner.startswith(role)
        for action in statement.actions
        for resource in statement.resources
    }
    assert found, f"no role {role}"
    return found


def _shorten(arn: str) -> str:
    return _IMPORTED.sub(r"\1", arn).rpartition("<AWS::AccountId>:")[2]


def _of_jobs() -> Rights:
    """What every job does, whatever code it runs."""
    read = ("datasets", "jobs", "studies", "sources", "models")
    return {
        *((f"dynamodb:{action}", "Registry") for action in _ROWS),
        *(("s3:ListBucket", bucket) for bucket in ("Landing", "Lake")),
        *(("s3:GetObject", f"Landing/{prefix}/*") for prefix in ("uploads", "drop")),
        *(("s3:GetObject", f"Lake/{prefix}/*") for prefix in read),
        *((action, f"Lake/{prefix}/*") for action in _WRITING for prefix in _OWN),
        ("s3:DeleteObject", "Lake/jobs/*/checkpoints/*"),
        *((f"sqs:{action}", "IngestQueue") for action in ("GetQueueAttributes", "SendMessage")),
    }


def _of_trainings() -> Rights:
    return {*_of_jobs(), ("s3:GetObject", "Lake/captures/*"), *((f"dynamodb:{each}", "Studies") for each in _TRIALS)}


def _pulling(repository: str) -> Rights:
    actions = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    return {*((f"ecr:{action}", repository) for action in actions), ("ecr:GetAuthorizationToken", "*")}


def _logging(group: str, *actions: str) -> Rights:
    return {(f"logs:{action}", f"log-group:{group}{end}") for action in actions for end in ("", ":log-stream:*")}


def test_h20_jobs_on_batch_have_these_rights_and_no_others(batch: Template) -> None:
    statements = list(batch.statements())
    assert rights(statements, "JobRole") == _of_trainings()
    moved = {(action, f"Lake/{prefix}/*") for action in _WRITING for prefix in ("models", "sources")}
    damaged = ("s3:DeleteObject", "Lake/sources/*/archives/*")
    assert rights(statements, "TransferRole") == _of_trainings() | moved | {damaged}
    secrets = {("secretsmanager:GetSecretValue", f"secret:{naming.SOURCE_SECRETS}*")}
    assert rights(statements, "CollectRole") == _of_jobs() | secrets
    logs = {(f"logs:{action}", f"log-group:{naming.JOB_LOG_GROUP}:*") for action in ("CreateLogStream", "PutLogEvents")}
    (repository,) = batch.resources("AWS::ECR::Repository")
    assert rights(statements, "ContainerExecutionRole") == logs | _pulling(f"<{repository}.Arn>")


def test_h20_containers_on_sagemaker_have_these_rights_and_no_others(sagemaker: Template) -> None:
    statements, pulled = list(sagemaker.statements()), _pulling(f"repository/{naming.IMAGE_REPOSITORY}")
    writing = ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")
    logs = _logging(naming.TRAINING_LOG_GROUP, *writing)
    figures = {("cloudwatch:PutMetricData", "*")}
    assert rights(statements, "TrainingRole") == _of_trainings() | pulled | logs | figures
    models = {("s3:ListBucket", "Lake"), ("s3:GetObject", "Lake/models/*")}
    logs = _logging(f"{naming.SERVING_LOG_GROUPS}*", "CreateLogGroup", *writing)
    assert rights(statements, "ServingRole") == models | pulled | logs


def test_h20_functions_have_these_rights_to_compute_and_to_streams(application: Template) -> None:
    found: dict[str, set[str]] = {}
    for statement in application.statements():
        for action in statement.actions:
            if action in OF_FUNCTIONS or action.startswith(("batch:", "iam:", "sagemaker:")):
                found.setdefault(action, set()).add(statement.owner.partition("Role")[0])
    assert found == {action: set(owners) for action, owners in OF_FUNCTIONS.items()}


def test_h20_dispatchers_pass_both_roles_and_no_others(application: Template) -> None:
    for function in _DISPATCHERS:
        passed = {
            resource for action, resource in rights(application.statements(), f"{function}Role") if "PassRole" in action
        }
        assert passed == {f"role/{naming.TRAINING_ROLE}", f"role/{naming.SERVING_ROLE}"}


def test_h20_every_function_writes_its_own_log_and_no_other(application: Template) -> None:
    for name, function in application.resources("AWS::Lambda::Function").items():
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        group = f"log-group:/aws/lambda/{function['Properties']['FunctionName']}:log-stream:*"
        written = {
            (action, resource)
            for action, resource in rights(application.statements(), role)
            if action in ("logs:CreateLogStream", "logs:PutLogEvents")
        }
        assert written == {("logs:CreateLogStream", group), ("logs:PutLogEvents", group)}, name


def test_h20_whoever_reads_objects_learns_that_one_is_absent(application: Template) -> None:
    """Without the right to list a bucket S3 answers 403 for what is not there, and not 404."""
    roles = {statement.owner for statement in application.statements()}
    for role in roles:
        held = rights(application.statements(), role)
        read = {resource.partition("/")[0] for action, resource in held if action == "s3:GetObject"}
        assert read == {resource for action, resource in held if action == "s3:ListBucket"}, role


def test_h20_whoever_queries_finds_where_the_rows_go(application: Template) -> None:
    """Athena asks for the bucket's region in its caller's name; no emulator does."""
    for role in {statement.owner for statement in application.statements()}:
        held = rights(application.statements(), role)
        queries = "athena:StartQueryExecution" in {action for action, _ in held}
        assert queries is (("s3:GetBucketLocation", "Lake") in held), role


def test_h20_logs_of_jobs_are_read_in_both_of_their_homes(application: Template) -> None:
    held = rights(application.statements(), "ApiRole")
    for group in (naming.JOB_LOG_GROUP, naming.TRAINING_LOG_GROUP):
        assert ("logs:GetLogEvents", f"log-group:{group}:log-stream:*") in held
    # SageMaker says to nobody what its streams are called.
    assert ("logs:DescribeLogStreams", f"log-group:{naming.TRAINING_LOG_GROUP}") in held


def test_h20_functions_may_leave_what_they_could_not_process(application: Template) -> None:
    """Lambda does so in their name; the emulator in its own."""
    functions = application.resources("AWS::Lambda::Function")
    left = 0
    for config in application.properties("AWS::Lambda::EventInvokeConfig"):
        queue = config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        role = functions[config["FunctionName"]["Ref"]]["Properties"]["Role"]["Fn::GetAtt"][0]
        sent = {
            to_text(resource)
            for statement in application.statements()
            if statement.owner == role and "sqs:SendMessage" in statement.actions
            for resource in statement.resources
        }
        assert f"<{queue}.Arn>" in sent, role
        left += 1
    assert left


def test_h20_the_reconciler_may_do_the_work_of_those_that_failed(application: Template) -> None:
    """Of dispatch and job_events, which it repeats; what Lambda does for a function is not its own."""
    own = rights(application.statements(), "ReconcilerRole")
    for function in ("Dispatch", "JobEvents"):
        work = {
            (action, resource)
            for action, resource in rights(application.statements(), f"{function}Role")
            if action not in OF_FUNCTIONS and not action.startswith("logs:") and "<" not in resource
        }
        missing = sorted(right for right in work - own if "dead-letters" not in right[1])
        assert not missing, function


def test_h20_functions_may_take_messages_from_their_queues(application: Template) -> None:
    functions, heard = application.resources("AWS::Lambda::Function"), 0
    for mapping in application.properties("AWS::Lambda::EventSourceMapping"):
        queue = to_text(mapping["EventSourceArn"])
        role = functions[mapping["FunctionName"]["Ref"]]["Properties"]["Role"]["Fn::GetAtt"][0]
        taken = {
            action
            for statement in application.statements()
            if statement.owner == role and queue in map(to_text, statement.resources)
            for action in statement.actions
        }
        if "Queue" in queue:
            assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"} <= taken, role
            heard += 1
    assert heard == 2


def test_h20_no_statement_gives_what_others_of_its_role_give(
    application: Template, batch: Template, sagemaker: Template
) -> None:
    """NOTE: CDK lets a function write to where its stream's failures go, and so does our own construct."""
    known = {("DispatchRole", "sqs:SendMessage")}
    for template in (application, batch, sagemaker):
        statements = list(template.statements())
        for statement in statements:
            others = {
                (action, to_text(resource))
                for other in statements
                if other is not statement and other.owner == statement.owner and other.condition == statement.condition
                for action in other.actions
                for resource in other.resources
            }
            given = {(action, to_text(resource)) for action in statement.actions for resource in statement.resources}
            is_known = {(statement.owner[:-8], action) for action in statement.actions} <= known
            assert is_known or not given <= others, statement
