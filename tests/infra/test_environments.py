"""What only environments on AWS have, by their settings: no emulator deploys it, and cfn-lint reads it."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from aimass_core.domain import keys
from tests.infra.templates import Template, to_text

cdk = pytest.importorskip("aws_cdk", reason="aws-cdk-lib is not installed: pip install -e .[cdk]")
if shutil.which("node") is None:
    pytest.skip("Node is not installed, and the CDK runs on it", allow_module_level=True)

from infra.cdk import naming, rules  # noqa: E402
from infra.cdk.app import add_stacks  # noqa: E402
from infra.cdk.assets import PlaceholderCode  # noqa: E402
from infra.cdk.settings import DEV, PROD, EnvironmentSettings  # noqa: E402

DIGEST = f"sha256:{'a' * 64}"
EVERYTHING = replace(
    PROD,
    batch_on_spot=True,
    batch_private=True,
    batch_efa_types=("p5.48xlarge",),
    budget_mail="ops@example.org",
    image=DIGEST,
    spark_image="spark-0.1.0",
    predictions_provisioned=1,
)
# CDK names each function's role twice, as an order and as a reference.
IGNORED = "W3005"

Stacks = Mapping[str, Template]


def synthesize(settings: EnvironmentSettings, folder: Path) -> Stacks:
    """Every stack's template, which AWS's rules have passed; as files in the folder too."""
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    add_stacks(app, settings=settings, code=PlaceholderCode())
    rules.add_rules(app)
    return {stack.stack_name: Template(stack.template) for stack in app.synth().stacks}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module")
def dev(folder: Path) -> Stacks:
    return synthesize(DEV, folder / "dev")


@pytest.fixture(scope="module")
def prod(folder: Path) -> Stacks:
    return synthesize(PROD, folder / "prod")


@pytest.fixture(scope="module")
def everything(folder: Path) -> Stacks:
    return synthesize(EVERYTHING, folder / "everything")


def test_j11_cfn_lint_finds_nothing(dev: Stacks, everything: Stacks, folder: Path) -> None:
    files = [str(path) for name in ("dev", "everything") for path in (folder / name).glob("*.template.json")]
    assert len(files) == len(dev) + len(everything)
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [program, "--ignore-checks", IGNORED, "--", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_spot_machines_come_first_and_those_on_demand_where_there_are_none(dev: Stacks, prod: Stacks) -> None:
    def kinds(stacks: Stacks) -> dict[str, list[str]]:
        batch = stacks[naming.BATCH_STACK]
        machines = batch.resources("AWS::Batch::ComputeEnvironment")
        return {
            queue["JobQueueName"]: [
                machines[order["ComputeEnvironment"]["Fn::GetAtt"][0]]["Properties"]["ComputeResources"]["Type"]
                for order in queue["ComputeEnvironmentOrder"]
            ]
            for queue in batch.properties("AWS::Batch::JobQueue")
        }

    nodes = {naming.NODES_JOB_QUEUE, naming.GPU_NODES_JOB_QUEUE}
    assert kinds(dev) == {name: ["EC2"] if name in nodes else ["SPOT", "EC2"] for name in naming.JOB_QUEUES}
    assert kinds(prod) == {name: ["EC2"] for name in naming.JOB_QUEUES}


def test_machines_of_one_job_stand_side_by_side(prod: Stacks) -> None:
    batch = prod[naming.BATCH_STACK]
    groups = batch.resources("AWS::EC2::PlacementGroup")
    assert [group["Properties"]["Strategy"] for group in groups.values()] == ["cluster", "cluster"]
    machines = batch.resources("AWS::Batch::ComputeEnvironment")
    placed = {
        queue["JobQueueName"]: "PlacementGroup"
        in machines[queue["ComputeEnvironmentOrder"][0]["ComputeEnvironment"]["Fn::GetAtt"][0]]["Properties"][
            "ComputeResources"
        ]
        for queue in batch.properties("AWS::Batch::JobQueue")
    }
    assert placed == {name: name.endswith("-nodes") for name in naming.JOB_QUEUES}


def test_efa_reaches_from_each_machine_to_the_others(everything: Stacks) -> None:
    batch = everything[naming.BATCH_STACK]
    (interfaces,) = [
        template["LaunchTemplateData"]["NetworkInterfaces"]
        for template in batch.properties("AWS::EC2::LaunchTemplate")
        if "NetworkInterfaces" in template["LaunchTemplateData"]
    ]
    (group,) = interfaces[0]["Groups"]
    assert interfaces[0]["InterfaceType"] == "efa"
    (inward,) = batch.properties("AWS::EC2::SecurityGroupIngress")
    (outward,) = batch.properties("AWS::EC2::SecurityGroupEgress")
    assert group == inward["GroupId"] == inward["SourceSecurityGroupId"]
    assert group == outward["GroupId"] == outward["DestinationSecurityGroupId"]
    assert inward["IpProtocol"] == outward["IpProtocol"] == "-1"


def test_private_machines_reach_aws_by_endpoints_and_the_rest_by_one_gateway(everything: Stacks, prod: Stacks) -> None:
    batch = everything[naming.BATCH_STACK]
    assert len(batch.resources("AWS::EC2::NatGateway")) == 1
    names = {to_text(item["ServiceName"]).partition("<AWS::Region>.")[2] for item in _interfaces(batch)}
    assert names == {"ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager", "sqs"}
    of_machines = {
        str(item["Properties"]["MapPublicIpOnLaunch"])
        for name, item in batch.resources("AWS::EC2::Subnet").items()
        if "jobsSubnet" in name
    }
    assert of_machines == {"False"}
    assert _interfaces(prod[naming.BATCH_STACK]) == []


def test_j12_an_image_may_be_named_by_its_digest(everything: Stacks) -> None:
    for definition in everything[naming.BATCH_STACK].properties("AWS::Batch::JobDefinition"):
        container = (
            definition.get("ContainerProperties") or definition["NodeProperties"]["NodeRangeProperties"][0]["Container"]
        )
        assert str(container["Image"]).endswith(f"@{DIGEST}']]}}")
    variables = everything[naming.APPLICATION_STACK].function("dispatch")["Environment"]["Variables"]
    assert to_text(variables["AIMASS_TRAINING_IMAGE"]).endswith(f"/{naming.IMAGE_REPOSITORY}@{DIGEST}")


def test_the_accounts_own_key_encrypts_what_is_kept_and_serves_this_account_alone(dev: Stacks, prod: Stacks) -> None:
    stateful = prod[naming.STATEFUL_STACK]
    ((name, key),) = stateful.resources("AWS::KMS::Key").items()
    assert key["DeletionPolicy"] == "Retain"
    assert key["Properties"]["EnableKeyRotation"] is True
    statements = key["Properties"]["KeyPolicy"]["Statement"]
    (opened,) = [item for item in statements if item.get("Sid") == "WhoMayUseWhatItEncrypts"]
    assert opened["Principal"] == {"AWS": "*"}
    assert opened["Condition"]["StringEquals"]["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    services = [to_text(service) for service in opened["Condition"]["StringEquals"]["kms:ViaService"]]
    assert services == [f"{service}.<AWS::Region>.<AWS::URLSuffix>" for service in ("dynamodb", "s3", "secretsmanager")]
    arn = {"Fn::GetAtt": [name, "Arn"]}
    for bucket in stateful.properties("AWS::S3::Bucket"):
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
        assert rule["BucketKeyEnabled"] is True
    for table in stateful.properties("AWS::DynamoDB::Table"):
        assert table["SSESpecification"] == {"KMSMasterKeyId": arn, "SSEEnabled": True, "SSEType": "KMS"}
    assert {str(secret["KmsKeyId"]) for secret in stateful.properties("AWS::SecretsManager::Secret")} == {str(arn)}
    assert "AWS::KMS::Key" not in {item["Type"] for item in dev[naming.STATEFUL_STACK].body["Resources"].values()}


def test_spark_runs_only_while_a_job_does_and_writes_in_one_place(prod: Stacks, dev: Stacks) -> None:
    spark = prod[naming.SPARK_STACK]
    (application,) = spark.properties("AWS::EMRServerless::Application")
    assert application["AutoStopConfiguration"] == {"Enabled": True, "IdleTimeoutMinutes": 15}
    assert application["MaximumCapacity"] == {"Cpu": "64vCPU", "Memory": "512GB"}
    assert "InitialCapacity" not in application
    written = {
        to_text(resource).rpartition(">/")[2]
        for statement in spark.statements()
        if {"s3:PutObject", "s3:DeleteObject"} & set(statement.actions)
        for resource in statement.resources
    }
    assert written == {"spark/*"}
    assert naming.SPARK_STACK not in dev


def test_recipes_on_spark_have_their_own_datasets_and_one_folder(everything: Stacks, prod: Stacks) -> None:
    spark, batch = everything[naming.SPARK_STACK], everything[naming.BATCH_STACK]
    (application,) = spark.properties("AWS::EMRServerless::Application")
    assert to_text(application["ImageConfiguration"]["ImageUri"]).endswith(f"/{naming.IMAGE_REPOSITORY}:spark-0.1.0")
    allowed = {
        (action, to_text(resource).rpartition(">/")[2])
        for statement in spark.statements()
        if statement.owner.startswith("RecipesRole")
        for action in statement.actions
        for resource in statement.resources
        if action.endswith("Object")
    }
    runs = "jobs/*/spark/*"
    assert allowed == {
        ("s3:GetObject", "datasets/*"),
        ("s3:GetObject", runs),
        ("s3:PutObject", runs),
        ("s3:DeleteObject", runs),
    }
    assert keys.job_spark_run("ws", "job", 1).startswith("jobs/ws/job/spark/")
    assert [role["RoleName"] for role in prod[naming.SPARK_STACK].properties("AWS::IAM::Role")] == [naming.SPARK_ROLE]
    for stacks in (everything, prod):
        exports = [
            each["Export"]["Name"] for each in stacks[naming.SPARK_STACK].body["Outputs"].values() if "Export" in each
        ]
        assert exports == ["AimassSpark:ExportsOutputFnGetAttSparkApplicationId4A65717B"]
    assert "emr-serverless" not in str(prod[naming.BATCH_STACK].resources("AWS::IAM::Role"))
    (repository,) = batch.properties("AWS::ECR::Repository")
    assert "emr-serverless.amazonaws.com" in str(repository["RepositoryPolicyText"])


def test_jobs_may_run_spark_by_one_application_and_hand_on_one_role(everything: Stacks) -> None:
    batch = everything[naming.BATCH_STACK]
    found = [
        (statement.owner[:7], statement.actions, [to_text(each) for each in statement.resources], statement.condition)
        for statement in batch.statements()
        if any(action.startswith(("emr-serverless:", "iam:")) for action in statement.actions)
    ]
    assert {owner for owner, *_ in found} == {"JobRole"}
    start, runs, role = found
    assert start[1] == ("emr-serverless:StartJobRun",)
    assert set(runs[1]) == {f"emr-serverless:{each}" for each in ("CancelJobRun", "GetJobRun", "TagResource")}
    (application,), (of_application,) = start[2], runs[2]
    assert ":/applications/<" in application
    assert of_application == f"{application}/jobruns/*"
    assert role[1] == ("iam:PassRole",)
    assert len(role[2]) == 1
    assert role[2][0].endswith(f":role/{naming.SPARK_RECIPES_ROLE}")
    assert role[3] == {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}
    told = {
        definition["JobDefinitionName"]: {item["Name"] for item in definition["ContainerProperties"]["Environment"]}
        for definition in batch.properties("AWS::Batch::JobDefinition")
        if "ContainerProperties" in definition
    }
    of_spark = {f"AIMASS_SPARK_{name}" for name in ("ABOVE_BYTES", "APPLICATION_ID", "ROLE_ARN")}
    assert {name: of_spark & variables for name, variables in told.items()} == {
        naming.JOB_DEFINITION: of_spark,
        naming.COLLECT_JOB_DEFINITION: set(),
        naming.TRANSFER_JOB_DEFINITION: set(),
    }


def test_a_budget_writes_to_the_address_that_the_settings_name(prod: Stacks, everything: Stacks) -> None:
    assert naming.BUDGET_STACK not in prod
    (budget,) = everything[naming.BUDGET_STACK].properties("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 1_000, "Unit": "USD"}
    told = [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"], each["Subscribers"][0]["Address"])
        for each in budget["NotificationsWithSubscribers"]
    ]
    assert told == [("ACTUAL", 80, "ops@example.org"), ("FORECASTED", 100, "ops@example.org")]


def test_logs_are_kept_as_long_as_the_environment_says(dev: Stacks, prod: Stacks) -> None:
    for stacks, days in ((dev, 7), (prod, 180)):
        groups = [
            item["Properties"]
            for template in stacks.values()
            for item in template.body["Resources"].values()
            if item["Type"] == "AWS::Logs::LogGroup"
        ]
        assert groups
        assert {group["RetentionInDays"] for group in groups} == {days}


def _interfaces(batch: Template) -> list[Mapping[str, object]]:
    return [item for item in batch.properties("AWS::EC2::VPCEndpoint") if item["VpcEndpointType"] == "Interface"]
