"""Spark on EMR Serverless, in a stack of its own: no emulator has it."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_emrserverless as emr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings

_RELEASE = "emr-7.9.0"


class SparkStack(Stack):
    """An application for those who run the platform: its jobs read every workspace's tables by the Glue catalogue, and
    write below `spark/`. Nothing runs while no job does. (Recipes run Spark in the job container: docs/RECIPES.md.)"""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, storage: Storage) -> None:
        super().__init__(scope, naming.SPARK_STACK, description="AI Mass: Spark on EMR Serverless.")
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=naming.SPARK_LOG_GROUP,
            retention=settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        application = emr.CfnApplication(
            self,
            "Spark",
            name="aimass",
            type="SPARK",
            release_label=_RELEASE,
            auto_start_configuration=emr.CfnApplication.AutoStartConfigurationProperty(enabled=True),
            auto_stop_configuration=emr.CfnApplication.AutoStopConfigurationProperty(
                enabled=True, idle_timeout_minutes=15
            ),
            maximum_capacity=emr.CfnApplication.MaximumAllowedResourcesProperty(
                cpu=f"{settings.spark_max_vcpus}vCPU", memory=f"{settings.spark_max_vcpus * 8}GB"
            ),
            monitoring_configuration=emr.CfnApplication.MonitoringConfigurationProperty(
                cloud_watch_logging_configuration=emr.CfnApplication.CloudWatchLoggingConfigurationProperty(
                    enabled=True, log_group_name=group.log_group_name
                )
            ),
        )
        role = iam.Role(
            self,
            "Role",
            role_name=naming.SPARK_ROLE,
            assumed_by=iam.ServicePrincipal(
                "emr-serverless.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            description="What a Spark job may do.",
            inline_policies={
                "Access": iam.PolicyDocument(
                    statements=[
                        allow.list_bucket(storage.lake),
                        allow.read_objects(storage.lake, naming.DATASETS_PREFIX, naming.SPARK_PREFIX),
                        allow.write_objects(storage.lake, naming.SPARK_PREFIX),
                        allow.delete_objects(storage.lake, naming.SPARK_PREFIX),
                        allow.read_tables(self),
                        allow.write_spark_logs(self),
                    ]
                )
            },
        )
        CfnOutput(self, "SparkApplicationId", value=application.attr_application_id)
        CfnOutput(self, "SparkRoleArn", value=role.role_arn)
