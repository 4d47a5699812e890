"""Deploying templates to a real emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aimass_local import deployment
from aimass_local.environment import REPOSITORY
from tests.integration.local.conftest import Cloud


def test_outputs_of_all_stacks_come_merged(cloud: Cloud) -> None:
    assert {"ItemsTable", "ProbeFunction", "HttpApiId"} <= set(cloud.outputs)


def test_deploying_again_changes_nothing(cloud: Cloud) -> None:
    client = cloud.client("cloudformation")
    before = client.describe_stack_events(StackName="App")["StackEvents"]
    assert cloud.deploy() == cloud.outputs
    assert len(client.describe_stack_events(StackName="App")["StackEvents"]) == len(before)


def test_failing_stack_is_reported_by_its_resource_and_can_be_deployed_again(cloud: Cloud, tmp_path: Path) -> None:
    token = "arn:aws:lambda:us-east-1:000000000000:function:no-such-function"
    broken = {"Type": "AWS::CloudFormation::CustomResource", "Properties": {"ServiceToken": token}}
    template: dict[str, Any] = {"Resources": {"Broken": broken}}
    (tmp_path / "assets.json").write_text("{}")
    (tmp_path / "stacks.json").write_text('["Bad"]')
    (tmp_path / "Bad.template.json").write_text(json.dumps(template))
    with pytest.raises(deployment.DeploymentError, match=r"stack Bad failed: Broken"):
        deployment.deploy(tmp_path, repository=REPOSITORY, port=cloud.port)

    template["Resources"] = {"Queue": {"Type": "AWS::SQS::Queue"}}
    (tmp_path / "Bad.template.json").write_text(json.dumps(template))
    assert deployment.deploy(tmp_path, repository=REPOSITORY, port=cloud.port) == {}


def test_unknown_resource_type_is_reported(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "assets.json").write_text("{}")
    (tmp_path / "stacks.json").write_text('["Worse"]')
    (tmp_path / "Worse.template.json").write_text('{"Resources": {"Broken": {"Type": "AWS::Unheard::Of"}}}')
    with pytest.raises(deployment.DeploymentError, match=r"stack Worse: .*AWS::Unheard::Of"):
        deployment.deploy(tmp_path, repository=REPOSITORY, port=cloud.port)
