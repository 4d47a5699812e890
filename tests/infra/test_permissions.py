"""What the roles may do: each only its own work, and every wildcard is listed here."""

import json
from fnmatch import fnmatchcase

from aimass_core.domain import keys
from aimass_core.domain.common import new_id
from aimass_core.domain.system import DeadLetterQueue
from infra.cdk import naming
from tests.infra.templates import Template, to_text

# Actions for which AWS knows no resource.
RESOURCELESS = {
    "batch:DescribeJobQueues",
    "batch:DescribeJobs",
    "batch:ListJobs",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "logs:GetQueryResults",
    "logs:StopQuery",
    "sagemaker:ListEndpoints",
    "secretsmanager:ListSecrets",
}
# How a resource with a wildcard may end.
WILDCARD_ENDINGS = (
    "/uploads/*",
    "/drop/*",
    "/datasets/*",
    "/jobs/*",
    "/sources/*",
    "/studies/*",
    "/jobs/*/checkpoints/*",
    "/sources/*/archives/*",
    "/models/*",
    "/captures/*",
    "/predictions/*",
    "/predictions/*/inputs/*",
    ":log-stream:*",
    ":log-group:/aws/batch/job:*",
    ":log-group:/aws/sagemaker/TrainingJobs:*",
    ":log-group:/aws/lambda/aimass-*",
    ":job/*",
    ":job-definition/aimass-batch-jobs:*",
    ":job-definition/aimass-batch-jobs-collect:*",
    ":job-definition/aimass-batch-jobs-transfer:*",
    ":job-definition/aimass-batch-jobs-multinode:*",
    ":secret:aimass/cursor-signing-??????",
    ":secret:aimass/audit-signing-??????",
    ":secret:aimass/ws_*/notification-channels/nch_*/*",
    ":secret:aimass/ws_*",
    ":secret:aimass/ws_*/sources/src_*/*",
    ":secret:aimass/ws_*/sources/src_*/webhook-signing-??????",
    ":secret:aimass/ws_*/sources/src_*/PII_KEY-??????",
    ":training-job/aimass-*",
    ":model/aimass-*",
    ":endpoint-config/aimass-*",
    ":endpoint/aimass-*",
    ":log-group:/aws/sagemaker/Endpoints/aimass-*",
    "/queries/*",
    ":database/aimass_*",
    ":table/aimass_*/*",
)
FUNCTION_ACTIONS = {
    "Authorizer": {"dynamodb", "logs"},
    "Console": {"logs"},
    "CollectorsTick": {"dynamodb", "logs"},
    "Predictions": {"dynamodb", "lambda", "logs", "s3", "sagemaker"},
    "Webhooks": {"dynamodb", "logs", "s3", "secretsmanager"},
    "Previews": {"logs", "s3"},
    "Ingest": {"dynamodb", "logs", "s3", "sqs"},
    "Dispatch": {"batch", "dynamodb", "glue", "iam", "lambda", "logs", "s3", "sagemaker", "sqs"},
    "JobEvents": {"batch", "dynamodb", "logs", "s3", "sagemaker", "sqs"},
    "Notifications": {"dynamodb", "logs", "s3", "secretsmanager", "ses", "sqs"},
    "Reconciler": {
        *("athena", "batch", "dynamodb", "glue", "iam", "lambda", "logs", "s3", "sagemaker", "secretsmanager", "sqs")
    },
    "Api": {
        *(
            "athena",
            "batch",
            "cloudwatch",
            "cognito-idp",
            "dynamodb",
            "glue",
            "lambda",
            "logs",
            "s3",
            "sagemaker",
            "secretsmanager",
            "ses",
        ),
        "sqs",
    },
}


# It counts, keeps what is answered later and large answers, and calls itself for the former.
_PREDICTIONS_OWN = {
    "dynamodb:UpdateItem",
    "lambda:InvokeFunction",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
}


def _actions_of(template: Template, role: str) -> set[str]:
    found = {
        action
        for statement in template.statements()
        if statement.owner.startswith(role)
        for action in statement.actions
    }
    assert found, f"no role {role}"
    return found


def _writable(template: Template, role: str) -> set[str]:
    """Key prefixes below which a role may write objects."""
    return {
        to_text(resource).rpartition(">/")[2]
        for statement in template.statements()
        if statement.owner.startswith(role) and {"s3:PutObject", "s3:DeleteObject"} & set(statement.actions)
        for resource in statement.resources
    }


def test_j11_no_action_is_a_wildcard(application: Template, batch: Template, sagemaker: Template) -> None:
    for statement in (*application.statements(), *batch.statements(), *sagemaker.statements()):
        assert not [action for action in statement.actions if "*" in action], statement


def test_j11_every_wildcard_resource_is_a_listed_one(
    application: Template, batch: Template, sagemaker: Template
) -> None:
    for statement in (*application.statements(), *batch.statements(), *sagemaker.statements()):
        for resource in map(to_text, statement.resources):
            if resource == "*":
                assert set(statement.actions) <= RESOURCELESS, statement
            elif "*" in resource or "?" in resource:
                assert resource.endswith(WILDCARD_ENDINGS), statement


def test_each_function_has_a_role_of_its_own(application: Template) -> None:
    roles = [str(function["Role"]) for function in application.properties("AWS::Lambda::Function")]
    assert len(roles) == len(set(roles)) == len(FUNCTION_ACTIONS)


def test_each_function_reaches_only_its_services(application: Template) -> None:
    for role, services in FUNCTION_ACTIONS.items():
        assert {action.partition(":")[0] for action in _actions_of(application, f"{role}Role")} == services, role


def test_authorizer_predictions_and_previews_only_read_and_predictions_count(application: Template) -> None:
    reading = {"dynamodb:GetItem", "dynamodb:Query", "s3:GetObject", "s3:ListBucket"}
    logging = {"logs:CreateLogStream", "logs:PutLogEvents"}
    asking = {"lambda:InvokeFunction", "sagemaker:InvokeEndpoint"}
    own: dict[str, set[str]] = {
        "AuthorizerRole": set(),
        "PreviewsRole": set(),
        "PredictionsRole": _PREDICTIONS_OWN | asking,
    }
    for role, actions in own.items():
        assert _actions_of(application, role) - actions <= reading | logging
    (invoking,) = (
        item
        for item in application.statements()
        if item.owner.startswith("PredictionsRole") and "lambda:InvokeFunction" in item.actions
    )
    assert [to_text(each).rpartition(":")[2] for each in invoking.resources] == ["aimass-predictions"]
    (adding,) = (
        item
        for item in application.statements()
        if item.owner.startswith("PredictionsRole") and "dynamodb:UpdateItem" in item.actions
    )
    assert adding.actions == ("dynamodb:UpdateItem",)
    assert adding.condition == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["COUNTERS#*"]}}


def test_only_dispatchers_submit_jobs_and_only_to_our_queues(application: Template) -> None:
    submitting = [item for item in application.statements() if "batch:SubmitJob" in item.actions]
    assert {item.owner.partition("Role")[0] for item in submitting} == {"Dispatch", "Reconciler"}
    for item in submitting:
        names = {to_text(resource).partition("<AWS::AccountId>:")[2] for resource in item.resources}
        assert names == {
            *(f"job-queue/{queue}" for queue in naming.JOB_QUEUES),
            f"job-definition/{naming.JOB_DEFINITION}",
            f"job-definition/{naming.JOB_DEFINITION}:*",
            f"job-definition/{naming.COLLECT_JOB_DEFINITION}",
            f"job-definition/{naming.COLLECT_JOB_DEFINITION}:*",
            f"job-definition/{naming.TRANSFER_JOB_DEFINITION}",
            f"job-definition/{naming.TRANSFER_JOB_DEFINITION}:*",
            f"job-definition/{naming.MULTINODE_JOB_DEFINITION}",
            f"job-definition/{naming.MULTINODE_JOB_DEFINITION}:*",
        }


def test_only_dispatchers_start_training_jobs_and_only_as_the_training_role(application: Template) -> None:
    starting = [item for item in application.statements() if "sagemaker:CreateTrainingJob" in item.actions]
    passing = [item for item in application.statements() if "iam:PassRole" in item.actions]
    for items in (starting, passing):
        assert {item.owner.partition("Role")[0] for item in items} == {"Dispatch", "Reconciler"}
    roles = set()
    for item in passing:
        (role,) = map(to_text, item.resources)
        roles.add(role.rpartition("/")[2])
        assert item.condition == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert roles == {naming.TRAINING_ROLE, naming.SERVING_ROLE}


def test_only_the_reconciler_deletes_hosts_and_only_predictions_asks_them(application: Template) -> None:
    owners = {
        action: {item.owner.partition("Role")[0] for item in application.statements() if action in item.actions}
        for action in ("sagemaker:CreateEndpoint", "sagemaker:DeleteEndpoint", "sagemaker:InvokeEndpoint")
    }
    assert list(owners.values()) == [{"Dispatch", "Reconciler"}, {"Reconciler"}, {"Predictions"}]


def test_containers_that_serve_read_models_and_nothing_else(sagemaker: Template) -> None:
    actions = {action for action in _actions_of(sagemaker, "ServingRole") if action.startswith(("s3:", "dynamodb:"))}
    assert actions == {"s3:GetObject", "s3:ListBucket"}
    (reading,) = [
        item
        for item in sagemaker.statements()
        if item.owner.startswith("ServingRole") and "s3:GetObject" in item.actions
    ]
    assert [to_text(resource).rpartition(">/")[2] for resource in reading.resources] == ["models/*"]


def test_objects_are_written_only_where_they_belong(
    application: Template, batch: Template, sagemaker: Template
) -> None:
    assert _writable(sagemaker, "TrainingRole") == {"datasets/*", "jobs/*", "studies/*", "jobs/*/checkpoints/*"}
    assert _writable(application, "ApiRole") == {
        "uploads/*",
        "sources/*",
        "studies/*",
        "models/*",
        "queries/*",
        "predictions/*/inputs/*",
    }
    assert _writable(application, "IngestRole") == {"datasets/*"}
    assert _writable(application, "DispatchRole") == {"jobs/*"}
    assert _writable(application, "JobEventsRole") == {"models/*"}
    assert _writable(application, "PredictionsRole") == {"predictions/*", "captures/*"}
    assert _writable(application, "WebhooksRole") == {"drop/*"}
    assert _writable(application, "CollectorsTickRole") == set()
    assert _writable(batch, "CollectRole") == _writable(batch, "JobRole")
    assert _writable(batch, "JobRole") == {"datasets/*", "jobs/*", "studies/*", "jobs/*/checkpoints/*"}
    assert _writable(batch, "TransferRole") == _writable(batch, "JobRole") | {
        "models/*",
        "sources/*",
        "sources/*/archives/*",
    }


def test_jobs_alone_write_trials_and_the_api_reads_and_deletes_them(
    application: Template, batch: Template, sagemaker: Template
) -> None:
    """The reconciler does so where a whole workspace is deleted."""
    expected = ((application, {"Api", "Reconciler"}), (batch, {"Job", "Transfer"}), (sagemaker, {"Training"}))
    for template, roles in expected:
        reaching = [
            item for item in template.statements() if any("Studies" in to_text(each) for each in item.resources)
        ]
        assert {item.owner.partition("Role")[0] for item in reaching} == roles
        for item in reaching:
            assert ("dynamodb:UpdateItem" in item.actions) is (template is not application)
            assert "dynamodb:BatchWriteItem" in item.actions


def test_jobs_cannot_submit_jobs_nor_touch_models(batch: Template, sagemaker: Template) -> None:
    actions = _actions_of(batch, "JobRole") | _actions_of(sagemaker, "TrainingRole")
    forbidden = ("batch:", "iam:", "lambda:", "sagemaker:", "secretsmanager:")
    assert not [action for action in actions if action.startswith(forbidden)]


def test_b11_secrets_of_sources_and_channels_are_set_by_the_api_and_read_by_those_that_need_them(
    application: Template, batch: Template, sagemaker: Template
) -> None:
    """The API cannot read back what it has set, and nobody who reads them reads any other secret."""
    reached = {
        (statement.owner.partition("Role")[0], action.partition(":")[2], to_text(resource).rpartition(":secret:")[2])
        for template in (application, batch, sagemaker)
        for statement in template.statements()
        for action in statement.actions
        for resource in statement.resources
        if action.startswith("secretsmanager:")
    }
    of_sources, setting = "aimass/ws_*/sources/src_*/", ("CreateSecret", "DeleteSecret", "PutSecretValue")
    assert reached == {
        ("Api", "GetSecretValue", "aimass/cursor-signing-??????"),
        *((reader, "GetSecretValue", "aimass/audit-signing-??????") for reader in ("Api", "Reconciler")),
        *(("Api", action, name) for action in setting for name in (f"{of_sources}*", naming.CHANNEL_SECRETS)),
        ("Notifications", "GetSecretValue", naming.CHANNEL_SECRETS),
        ("Reconciler", "DeleteSecret", "aimass/ws_*"),
        ("Reconciler", "ListSecrets", "*"),
        ("Webhooks", "GetSecretValue", f"{of_sources}webhook-signing-??????"),
        ("Webhooks", "GetSecretValue", f"{of_sources}PII_KEY-??????"),
        ("Collect", "GetSecretValue", f"{of_sources}*"),
    }
    name = keys.source_secret(new_id("ws"), new_id("src"), naming.WEBHOOK_SECRET)
    assert fnmatchcase(name, f"{naming.SOURCE_SECRETS}{naming.WEBHOOK_SECRET}")
    assert fnmatchcase(keys.channel_secret(new_id("ws"), new_id("nch"), "signing-1"), naming.CHANNEL_SECRETS)
    assert fnmatchcase(name, naming.WORKSPACE_SECRETS)


def test_j11_scheduler_calls_the_tick_and_nothing_else(application: Template) -> None:
    (statement,) = [item for item in application.statements() if item.owner.startswith("CollectorsTickCaller")]
    assert (statement.actions, len(statement.resources)) == (("lambda:InvokeFunction",), 1)
    assert to_text(statement.resources[0]).startswith("<CollectorsTick")


def test_jobs_read_the_models_that_they_work_on(batch: Template, sagemaker: Template) -> None:
    for template, role in ((batch, "JobRole"), (sagemaker, "TrainingRole")):
        readable = {
            to_text(resource).rpartition(">/")[2]
            for statement in template.statements()
            if statement.owner.startswith(role) and "s3:GetObject" in statement.actions
            for resource in statement.resources
        }
        assert "models/*" in readable


def test_policies_name_the_prefixes_that_the_core_uses() -> None:
    assert keys.UPLOADS_PREFIX == naming.UPLOADS_PREFIX
    assert keys.DROP_PREFIX == naming.DROP_PREFIX
    assert keys.dataset_file("ws", "ds", "0").startswith(naming.DATASETS_PREFIX)
    assert keys.job_prefix("ws", "job").startswith(naming.JOBS_PREFIX)
    assert keys.job_source("ws", "0").startswith(naming.SOURCES_PREFIX)
    assert keys.study_prefix("ws", "std").startswith(naming.STUDIES_PREFIX)
    assert keys.prediction_object("ws", "pr", "answer").startswith(naming.PREDICTIONS_PREFIX)
    assert fnmatchcase(keys.prediction_input("ws", "0"), f"{naming.PREDICTION_INPUTS_PREFIX}*")
    assert keys.model_object("ws", "model", 1, "model.onnx").startswith(naming.MODELS_PREFIX)
    assert keys.captures_prefix("ws", "endpoint").startswith(naming.CAPTURES_PREFIX)
    assert keys.counters_partition("ws", "endpoint").startswith(naming.COUNTERS_PREFIX)
    assert not keys.partition("ws").startswith(naming.COUNTERS_PREFIX)


def test_audit_secret_and_queues_are_named_as_the_core_names_them(application: Template) -> None:
    assert naming.AUDIT_SECRET == keys.AUDIT_SECRET
    variables = application.function("api")["Environment"]["Variables"]
    assert json.loads(variables["AIMASS_DEAD_LETTER_QUEUES"]).keys() == set(DeadLetterQueue)
