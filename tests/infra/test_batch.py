"""How jobs run on AWS Batch."""

from typing import Any

from aimass_core.domain.job_queues import queue_names
from aimass_core.settings import CollectSettings, ContainerSettings
from infra.cdk import naming
from tests.infra.templates import Properties, Template


def _names(variables: Any) -> set[str]:
    return {item["Name"] for item in variables}


def _definition(template: Template, name: str = naming.JOB_DEFINITION) -> Properties:
    """Of jobs with one container."""
    definitions = {item["JobDefinitionName"]: item for item in template.properties("AWS::Batch::JobDefinition")}
    return definitions[name]


def test_b11_jobs_that_read_sources_differ_from_the_others_in_role_and_variables_alone(batch: Template) -> None:
    collecting, other = _definition(batch, naming.COLLECT_JOB_DEFINITION), _definition(batch)
    role = collecting["ContainerProperties"]["JobRoleArn"]
    assert role["Fn::GetAtt"][0].startswith("CollectRole")
    variables = collecting["ContainerProperties"]["Environment"]
    assert _names(variables) - _names(other["ContainerProperties"]["Environment"]) == {
        f"AIMASS_{name.upper()}" for name in CollectSettings.model_fields.keys() - ContainerSettings.model_fields.keys()
    }
    same = {**other["ContainerProperties"], "JobRoleArn": role, "Environment": variables}
    assert collecting == {**other, "JobDefinitionName": naming.COLLECT_JOB_DEFINITION, "ContainerProperties": same}


def test_jobs_that_move_workspaces_differ_from_the_others_in_their_role_alone(batch: Template) -> None:
    moving, other = _definition(batch, naming.TRANSFER_JOB_DEFINITION), _definition(batch)
    role = moving["ContainerProperties"]["JobRoleArn"]
    assert role["Fn::GetAtt"][0].startswith("TransferRole")
    same = {**other["ContainerProperties"], "JobRoleArn": role}
    assert moving == {**other, "JobDefinitionName": naming.TRANSFER_JOB_DEFINITION, "ContainerProperties": same}


def test_d10_what_no_rule_names_is_not_tried_again(batch: Template) -> None:
    strategy = _definition(batch)["RetryStrategy"]
    assert strategy["Attempts"] == 3
    assert strategy["EvaluateOnExit"] == [
        {"Action": "RETRY", "OnExitCode": "75"},
        {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
        {"Action": "EXIT", "OnReason": "*"},
    ]


def test_d7_every_job_has_limits(batch: Template) -> None:
    definition = _definition(batch)
    limits = {item["Name"]: item["HardLimit"] for item in definition["ContainerProperties"]["Ulimits"]}
    assert limits == {"nproc": 8_192, "nofile": 65_536}
    assert definition["Timeout"]["AttemptDurationSeconds"] == 86_400


def test_containers_get_the_variables_that_dispatch_does_not_give(batch: Template) -> None:
    variables = _names(_definition(batch)["ContainerProperties"]["Environment"])
    given_by_dispatch = {"AIMASS_WORKSPACE_ID", "AIMASS_JOB_ID"}
    # Of environments that have Spark (tests/infra/test_environments.py).
    of_spark = {"AIMASS_SPARK_ABOVE_BYTES", "AIMASS_SPARK_APPLICATION_ID", "AIMASS_SPARK_ROLE_ARN"}
    # What a container does was settled by the settings when its job was submitted.
    of_functions = {"AIMASS_DEPLOYMENT_SETTINGS"}
    fields = {f"AIMASS_{name.upper()}" for name in ContainerSettings.model_fields}
    assert variables == fields - given_by_dispatch - of_spark - of_functions


def test_d13_containers_get_credentials_from_their_role_and_from_nowhere_else(batch: Template) -> None:
    """Those of a role are refreshed by the SDK; what is written into a job would expire in the middle of it."""
    container = _definition(batch)["ContainerProperties"]
    assert container["JobRoleArn"]
    assert not container.get("Secrets")
    assert not [item["Name"] for item in container["Environment"] if item["Name"].startswith("AWS_")]


def test_containers_run_the_package_as_our_role(batch: Template) -> None:
    container = _definition(batch)["ContainerProperties"]
    assert container["Command"][:3] == ["python", "-m", "batch_jobs"]
    assert container["JobRoleArn"]["Fn::GetAtt"][0].startswith("JobRole")


def test_names_are_those_that_the_functions_submit_to(batch: Template, application: Template) -> None:
    queues = [queue["JobQueueName"] for queue in batch.properties("AWS::Batch::JobQueue")]
    variables = application.function("dispatch")["Environment"]["Variables"]
    assert sorted(queues) == sorted(naming.JOB_QUEUES) == sorted(queue_names(variables["AIMASS_JOB_QUEUE"]))
    assert variables["AIMASS_JOB_DEFINITION"] == naming.JOB_DEFINITION
    assert variables["AIMASS_COLLECT_JOB_DEFINITION"] == naming.COLLECT_JOB_DEFINITION
    assert variables["AIMASS_TRANSFER_JOB_DEFINITION"] == naming.TRANSFER_JOB_DEFINITION


def test_nothing_runs_while_no_job_does(batch: Template) -> None:
    for environment in batch.properties("AWS::Batch::ComputeEnvironment"):
        assert environment["ComputeResources"]["MinvCpus"] == 0
    assert "AWS::EC2::NatGateway" not in {item["Type"] for item in batch.body["Resources"].values()}


def test_jobs_in_the_background_share_machines_with_those_that_go_first(batch: Template) -> None:
    queues = {queue["JobQueueName"]: queue for queue in batch.properties("AWS::Batch::JobQueue")}
    for first in (naming.JOB_QUEUE, naming.GPU_JOB_QUEUE):
        background = queues[f"{first}-background"]
        assert background["ComputeEnvironmentOrder"] == queues[first]["ComputeEnvironmentOrder"]
        assert background["Priority"] < queues[first]["Priority"]


def test_only_queues_for_gpus_have_machines_with_them(batch: Template) -> None:
    machines = batch.resources("AWS::Batch::ComputeEnvironment")
    for queue in batch.properties("AWS::Batch::JobQueue"):
        for order in queue["ComputeEnvironmentOrder"]:
            found = machines[order["ComputeEnvironment"]["Fn::GetAtt"][0]]["Properties"]["ComputeResources"]
            is_gpu = "-gpu" in queue["JobQueueName"]
            assert found["InstanceTypes"] == (["g4dn", "g5", "g6"] if is_gpu else ["optimal"])
            assert found["Ec2Configuration"] == [{"ImageType": "ECS_AL2023_NVIDIA" if is_gpu else "ECS_AL2023"}]


def test_containers_cannot_take_over_the_hosts_role(batch: Template) -> None:
    (template,) = batch.properties("AWS::EC2::LaunchTemplate")
    options = template["LaunchTemplateData"]["MetadataOptions"]
    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_nobody_may_connect_to_a_job_but_jobs(batch: Template) -> None:
    (network,) = batch.properties("AWS::EC2::VPC")
    for group in batch.properties("AWS::EC2::SecurityGroup"):
        assert [rule["CidrIp"] for rule in group["SecurityGroupIngress"]] == [network["CidrBlock"]]


def test_jobs_on_several_machines_are_those_on_one(batch: Template) -> None:
    one, several = _definition(batch), _definition(batch, naming.MULTINODE_JOB_DEFINITION)
    (nodes,) = several["NodeProperties"]["NodeRangeProperties"]
    assert nodes == {"TargetNodes": "0:", "Container": one["ContainerProperties"]}
    assert (several["NodeProperties"]["MainNode"], several["RetryStrategy"]) == (0, one["RetryStrategy"])
    assert several["Type"] == "multinode"


def test_data_stays_in_awss_network(batch: Template) -> None:
    endpoints = [str(item["ServiceName"]) for item in batch.properties("AWS::EC2::VPCEndpoint")]
    assert len(endpoints) == 2
    assert any(".s3" in name for name in endpoints)
    assert any(".dynamodb" in name for name in endpoints)


def test_an_images_tag_never_changes_its_meaning(batch: Template) -> None:
    (repository,) = batch.properties("AWS::ECR::Repository")
    assert repository["ImageTagMutability"] == "IMMUTABLE"
