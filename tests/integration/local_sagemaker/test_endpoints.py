"""SageMaker's hosting as boto3 sees it: models, configurations, endpoints, and what their containers answer."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from aimass_local import lifecycle
from aimass_local.environment import DataDirectory
from tests.integration.local.conftest import free_port, wait_until
from tests.integration.local_sagemaker.conftest import BUCKET, Cloud
from tests.integration.local_sagemaker.endpoints import (
    GUEST_IMAGE,
    ROLE,
    VARIANT,
    ask,
    create_config,
    create_endpoint,
    create_model,
    upload_model,
    variant,
    wait_for_endpoint,
)
from tests.integration.local_sagemaker.guest_image import write_guest_image


@pytest.fixture(scope="module")
def endpoint(cloud: Cloud) -> str:
    """One that stays as it is."""
    model = create_model(cloud, {"weights/w.txt": "7"}, Environment={"SETTING": "/opt/ml/model/x"})
    return create_endpoint(cloud, create_config(cloud, variant(model)))


def test_the_container_gets_its_model_and_answers(cloud: Cloud, endpoint: str) -> None:
    answer = ask(cloud, endpoint, "a,b", Accept="text/csv", CustomAttributes="trace=7")
    assert answer["body"] == "a,b"
    assert answer["files"] == {"weights/w.txt": "7"}
    assert answer["accept"] == "text/csv"
    assert answer["attributes"] == "trace=7"
    assert answer["variant"] == VARIANT
    assert answer["setting"].endswith("/ml/model/x")
    assert not answer["setting"].startswith("/opt/ml")


def test_it_is_described_as_it_is(cloud: Cloud, endpoint: str) -> None:
    described = cloud.sagemaker.describe_endpoint(EndpointName=endpoint)
    (shown,) = described["ProductionVariants"]
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointArn"].endswith(f":endpoint/{endpoint}")
    assert (shown["CurrentInstanceCount"], shown["CurrentWeight"]) == (1, 1.0)
    assert shown["DeployedImages"][0]["SpecifiedImage"] == GUEST_IMAGE
    config = cloud.sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    model = cloud.sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["PrimaryContainer"]["Environment"] == {"SETTING": "/opt/ml/model/x"}
    listed = cloud.sagemaker.list_endpoints(NameContains=endpoint, StatusEquals="InService")["Endpoints"]
    assert [item["EndpointName"] for item in listed] == [endpoint]


def test_errors_of_the_container_are_model_errors_with_its_words(cloud: Cloud, endpoint: str) -> None:
    with pytest.raises(ClientError) as caught:
        ask(cloud, endpoint, "fail")
    response = caught.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (422, "a row is missing")
    assert f"/aws/sagemaker/Endpoints/{endpoint}" in response["LogStreamArn"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("no-such-endpoint", {}, "no-such-endpoint of account not found"),
        (None, {"TargetVariant": "green"}, "no variant 'green'; it has: AllTraffic"),
        (None, {"TargetModel": "other.tar.gz"}, "TargetModel is not supported"),
    ],
    ids=str,
)
def test_invocations_that_cannot_be_answered_are_refused(
    cloud: Cloud, endpoint: str, name: str | None, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ClientError, match=words) as caught:
        ask(cloud, name or endpoint, **options)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_model_may_lie_in_a_folder_without_an_archive(cloud: Cloud) -> None:
    prefix = f"models/{uuid4().hex}/"
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{prefix}model.onnx", Body=b"graph")
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{prefix}more/card.json", Body=b"{}")
    name = f"model-{uuid4().hex[:12]}"
    source = {"S3Uri": f"s3://{BUCKET}/{prefix}", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": GUEST_IMAGE, "ModelDataSource": {"S3DataSource": source}}
    cloud.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    serverless = {
        "VariantName": "one",
        "ModelName": name,
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    }
    endpoint = create_endpoint(cloud, create_config(cloud, serverless))
    assert ask(cloud, endpoint)["files"] == {"model.onnx": "graph", "more/card.json": "{}"}
    cloud.sagemaker.delete_endpoint(EndpointName=endpoint)


def test_an_update_fails_no_request_and_keeps_what_works(cloud: Cloud, tmp_path: Path) -> None:
    first = create_config(cloud, variant(create_model(cloud, {"v": "1"})))
    second = create_config(cloud, variant(create_model(cloud, {"v": "2"})))
    broken = create_config(cloud, variant(create_model(cloud, {"broken": ""})))
    name = create_endpoint(cloud, first)
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(3) as pool:
        held = pool.submit(ask, cloud, name, f"wait {gate}")
        wait_until(Path(f"{gate}.asked").exists)
        cloud.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            cloud.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=first)
        answers = [ask(cloud, name)["files"]["v"]]
        while cloud.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
            answers.append(ask(cloud, name)["files"]["v"])
        assert set(answers) <= {"1", "2"}
        assert ask(cloud, name)["files"]["v"] == "2"
        gate.touch()
        assert held.result(30)["files"]["v"] == "1"
    cloud.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=broken)
    described = wait_for_endpoint(cloud, name, "InService")
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "exit code 1" in described["FailureReason"]
    assert described["EndpointConfigName"] == second
    assert ask(cloud, name)["files"]["v"] == "2"
    cloud.sagemaker.delete_endpoint(EndpointName=name)


def test_an_endpoint_that_never_comes_up_has_failed_and_says_why(cloud: Cloud) -> None:
    config = create_config(cloud, variant(create_model(cloud, {"broken": ""})))
    name = create_endpoint(cloud, config, status="Failed")
    described = cloud.sagemaker.describe_endpoint(EndpointName=name)
    assert "exit code 1" in described["FailureReason"]
    with pytest.raises(ClientError, match="is Failed"):
        ask(cloud, name)
    missing = create_config(cloud, variant(create_model(cloud, {}, ModelDataUrl=f"s3://{BUCKET}/no.tar.gz")))
    other = create_endpoint(cloud, missing, status="Failed")
    assert "Failed to download model data" in cloud.sagemaker.describe_endpoint(EndpointName=other)["FailureReason"]
    for created in (name, other):
        cloud.sagemaker.delete_endpoint(EndpointName=created)


def test_variants_answer_by_their_weights_and_scale(cloud: Cloud) -> None:
    blue = variant(create_model(cloud, {"v": "blue"}), VariantName="blue", InitialVariantWeight=1.0)
    green = variant(create_model(cloud, {"v": "green"}), VariantName="green", InitialVariantWeight=0.0)
    name = create_endpoint(cloud, create_config(cloud, blue, green))
    assert Counter(ask(cloud, name)["variant"] for _ in range(20)) == {"blue": 20}
    assert ask(cloud, name, TargetVariant="green")["files"]["v"] == "green"
    wishes = [
        {"VariantName": "blue", "DesiredWeight": 0.0},
        {"VariantName": "green", "DesiredWeight": 3.0, "DesiredInstanceCount": 2},
    ]
    cloud.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=wishes)
    described = wait_for_endpoint(cloud, name, "InService")
    assert [shown["CurrentInstanceCount"] for shown in described["ProductionVariants"]] == [1, 2]
    answers = [ask(cloud, name) for _ in range(40)]
    assert {answer["variant"] for answer in answers} == {"green"}
    assert len({answer["pid"] for answer in answers}) == 2
    cloud.sagemaker.delete_endpoint(EndpointName=name)


def test_a_container_that_dies_is_replaced_and_takes_only_its_own_request_along(cloud: Cloud) -> None:
    config = create_config(cloud, variant(create_model(cloud, {"v": "1"})))
    name = create_endpoint(cloud, config)
    before = ask(cloud, name)["pid"]
    with pytest.raises(ClientError, match="the model process exited") as caught:
        ask(cloud, name, "die")
    assert caught.value.response["OriginalStatusCode"] == 0
    assert ask(cloud, name)["pid"] != before
    assert cloud.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    killed = ask(cloud, name)["pid"]
    os.kill(killed, signal.SIGKILL)
    # NOTE: a request that comes before the process is gone is still its own.
    wait_until(lambda: not Path(f"/proc/{killed}").exists())
    assert ask(cloud, name)["files"] == {"v": "1"}
    cloud.sagemaker.delete_endpoint(EndpointName=name)


def test_what_is_deleted_is_gone_with_its_processes(cloud: Cloud) -> None:
    model = create_model(cloud, {})
    config = create_config(cloud, variant(model))
    name = create_endpoint(cloud, config)
    pid = ask(cloud, name)["pid"]
    cloud.sagemaker.delete_endpoint(EndpointName=name)
    cloud.sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig={"Delay": 1})
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    cloud.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    cloud.sagemaker.delete_model(ModelName=model)
    for describe in (
        lambda: cloud.sagemaker.describe_endpoint(EndpointName=name),
        lambda: cloud.sagemaker.describe_endpoint_config(EndpointConfigName=config),
        lambda: cloud.sagemaker.describe_model(ModelName=model),
    ):
        with pytest.raises(ClientError, match="Could not find") as caught:
            describe()
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_definitions_that_cannot_be_kept_are_refused(cloud: Cloud) -> None:
    model = create_model(cloud, {})
    container = {"Image": GUEST_IMAGE, "ModelDataUrl": upload_model(cloud.s3, {})}
    with pytest.raises(ClientError, match="already existing model"):
        cloud.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    with pytest.raises(ClientError, match="models of one container"):
        cloud.sagemaker.create_model(ModelName="two", Containers=[container, container], ExecutionRoleArn=ROLE)
    multi = {**container, "Mode": "MultiModel"}
    with pytest.raises(ClientError, match="MultiModel is not supported"):
        cloud.sagemaker.create_model(ModelName="multi", PrimaryContainer=multi, ExecutionRoleArn=ROLE)
    with pytest.raises(ClientError, match='Could not find model "nothing"'):
        create_config(cloud, variant("nothing"))
    with pytest.raises(ClientError, match="must be unique"):
        create_config(cloud, variant(model), variant(model))
    with pytest.raises(ClientError, match="needs an InitialInstanceCount of at least 1"):
        create_config(cloud, {"VariantName": "one", "ModelName": model, "InstanceType": "ml.c5.large"})
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        cloud.sagemaker.create_endpoint(EndpointName="none", EndpointConfigName="nothing")


def test_logs_and_tags_are_kept(cloud: Cloud, endpoint: str) -> None:
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    (stream,) = cloud.logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith(f"{VARIANT}/i-")
    events = cloud.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert "serving" in [event["message"] for event in events]
    arn = cloud.sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointArn"]
    cloud.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "blue"}])
    assert cloud.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "blue"}]


def test_events_of_endpoints_reach_a_rule(cloud: Cloud) -> None:
    events, sqs = cloud.client("events"), cloud.client("sqs")
    url = sqs.create_queue(QueueName=f"events-{uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = f"endpoints-{uuid4().hex[:8]}"
    name = f"told-{uuid4().hex[:8]}"
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change"],
        "detail": {"EndpointName": [name]},
    }
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    config = create_config(cloud, variant(create_model(cloud, {})))
    cloud.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    told: list[str] = []

    def is_in_service() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            told.append(json.loads(message["Body"])["detail"]["EndpointStatus"])
        return "IN_SERVICE" in told

    wait_until(is_in_service)
    assert sorted(told) == ["CREATING", "IN_SERVICE"]
    cloud.sagemaker.delete_endpoint(EndpointName=name)
    events.remove_targets(Rule=rule, Ids=["1"])
    events.delete_rule(Name=rule)


def test_cloudformation_makes_changes_and_deletes_them(cloud: Cloud) -> None:
    def template(version: str) -> str:
        data = upload_model(cloud.s3, {"v": version})
        container = {"Image": GUEST_IMAGE, "ModelDataUrl": data}
        served = {**variant(""), "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}}
        resources = {
            "Model": {"Type": "Model", "Properties": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}},
            "Config": {"Type": "EndpointConfig", "Properties": {"ProductionVariants": [served]}},
            "Endpoint": {
                "Type": "Endpoint",
                "Properties": {
                    "EndpointName": "of-a-stack",
                    "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                },
            },
        }
        typed = {name: {**each, "Type": f"AWS::SageMaker::{each['Type']}"} for name, each in resources.items()}
        return json.dumps({"Resources": typed})

    stacks = cloud.client("cloudformation")
    stacks.create_stack(StackName="serving", TemplateBody=template("1"))
    stacks.get_waiter("stack_create_complete").wait(StackName="serving", WaiterConfig={"Delay": 1})
    wait_for_endpoint(cloud, "of-a-stack", "InService")
    assert ask(cloud, "of-a-stack")["files"] == {"v": "1"}
    stacks.update_stack(StackName="serving", TemplateBody=template("2"))
    stacks.get_waiter("stack_update_complete").wait(StackName="serving", WaiterConfig={"Delay": 1})
    wait_for_endpoint(cloud, "of-a-stack", "InService")
    assert ask(cloud, "of-a-stack")["files"] == {"v": "2"}
    stacks.delete_stack(StackName="serving")
    wait_until(lambda: cloud.sagemaker.list_endpoints(NameContains="of-a-stack")["Endpoints"] == [])
    assert cloud.sagemaker.list_models(NameContains="serving-model")["Models"] == []


def test_endpoints_outlive_a_killed_server(tmp_path: Path) -> None:
    data, port = DataDirectory.at(tmp_path / "data"), free_port()
    data.create()
    data.images_path.write_text(json.dumps(write_guest_image(tmp_path / "image")))
    process = lifecycle.start(data, port=port)
    cloud = Cloud(data=data, port=port)
    try:
        cloud.s3.create_bucket(Bucket=BUCKET)
        config = create_config(cloud, variant(create_model(cloud, {"v": "1"})))
        name = create_endpoint(cloud, config)
        pending = f"pending-{uuid4().hex[:8]}"
        cloud.sagemaker.create_endpoint(EndpointName=pending, EndpointConfigName=config)
        pid = ask(cloud, name)["pid"]
        process.kill()
        process.wait()
        wait_until(lambda: not Path(f"/proc/{pid}").exists())
        process = lifecycle.start(data, port=port)
        assert ask(cloud, name)["files"] == {"v": "1"}
        wait_for_endpoint(cloud, pending, "InService")
        assert ask(cloud, pending)["files"] == {"v": "1"}
    finally:
        lifecycle.down(data)
        process.wait()
