"""How jobs run on SageMaker."""

import json

from infra.cdk import naming
from tests.infra.templates import Template, to_text


def test_role_and_image_are_those_that_the_functions_submit_with(
    sagemaker: Template, batch: Template, application: Template
) -> None:
    names = {role["RoleName"] for role in sagemaker.properties("AWS::IAM::Role")}
    (repository,) = batch.properties("AWS::ECR::Repository")
    variables = application.function("dispatch")["Environment"]["Variables"]
    given = [to_text(variables[f"AIMASS_{purpose}_ROLE_ARN"]) for purpose in ("TRAINING", "SERVING")]
    assert {arn.rpartition(":role/")[2] for arn in given} == names
    image = to_text(variables["AIMASS_TRAINING_IMAGE"])
    assert f"/{repository['RepositoryName']}:" in image
    for definition in batch.properties("AWS::Batch::JobDefinition"):
        assert f":{image.rpartition(':')[2]}" in json.dumps(definition)


def test_only_sagemaker_takes_the_roles(sagemaker: Template) -> None:
    for role in sagemaker.properties("AWS::IAM::Role"):
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_logs_are_read_where_training_jobs_write(sagemaker: Template, application: Template) -> None:
    (group,) = sagemaker.properties("AWS::Logs::LogGroup")
    variables = application.function("api")["Environment"]["Variables"]
    assert group["LogGroupName"] == variables["AIMASS_TRAINING_LOG_GROUP"] == naming.TRAINING_LOG_GROUP
