"""SageMaker as a second compute for jobs and as the host of endpoints' containers, in a stack of its own: beside
LocalStack another executor may serve it."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.container import container_statements
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings


class SageMakerStack(Stack):
    """The role of training jobs and where they log, and the role of containers that serve: SageMaker has no queue, no
    definition and no idle machine."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, storage: Storage) -> None:
        super().__init__(scope, naming.SAGEMAKER_STACK, description="AI Mass: compute for jobs on SageMaker Training.")
        logs.LogGroup(
            self,
            "TrainingLogs",
            log_group_name=naming.TRAINING_LOG_GROUP,
            retention=settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "TrainingRole",
            role_name=naming.TRAINING_ROLE,
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
            description="What SageMaker and the code of a training job may do.",
            inline_policies={
                "Access": iam.PolicyDocument(statements=container_statements(storage)),
                "SageMaker": iam.PolicyDocument(
                    statements=[
                        allow.pull_image(self),
                        allow.log_in_to_images(),
                        allow.write_training_logs(self),
                        allow.put_training_metrics(),
                    ]
                ),
            },
        )
        serving = iam.Role(
            self,
            "ServingRole",
            role_name=naming.SERVING_ROLE,
            assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
            description="What SageMaker does for a container that serves; the container itself asks AWS for nothing.",
            inline_policies={
                "Access": iam.PolicyDocument(
                    statements=[
                        allow.list_bucket(storage.lake),
                        allow.read_objects(storage.lake, naming.MODELS_PREFIX),
                        allow.pull_image(self),
                        allow.log_in_to_images(),
                        allow.write_serving_logs(self),
                    ]
                ),
            },
        )
        CfnOutput(self, "ServingRoleArn", value=serving.role_arn)
        CfnOutput(self, "TrainingRoleArn", value=role.role_arn)
        CfnOutput(self, "TrainingLogGroupName", value=naming.TRAINING_LOG_GROUP)
