"""Spark on EMR Serverless, in a stack of its own: no emulator has it."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_emrserverless as emr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.images import image_uri
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings

_RELEASE = "emr-7.9.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipesOnSpark:
    """By which prepare jobs hand large recipes over."""

    application_id: str
    role_arn: str


class SparkStack(Stack):
    """An application, whose runs have one of two roles: that of those who run the platform, which reads every
    workspace's tables by the Glue catalogue and writes below `spark/`; and, with an image of ours, that of recipes, of
    which each run is let have its own datasets and its own folder alone. Nothing runs while no job does."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, storage: Storage) -> None:
        super().__init__(scope, naming.SPARK_STACK, description="AI Mass: Spark on EMR Serverless.")
        application = _build_application(self, settings)
        lake = storage.lake
        role = _build_role(
            self,
            "Role",
            name=naming.SPARK_ROLE,
            statements=[
                allow.list_bucket(lake),
                allow.read_objects(lake, naming.DATASETS_PREFIX, naming.SPARK_PREFIX),
                allow.write_objects(lake, naming.SPARK_PREFIX),
                allow.delete_objects(lake, naming.SPARK_PREFIX),
                allow.read_tables(self),
                allow.write_spark_logs(self),
            ],
        )
        self.recipes: RecipesOnSpark | None = None
        # NOTE: of what other stacks take from it only this is a reference, which stays when they take it no more: else
        # CloudFormation would not let go of it.
        self.export_value(application.attr_application_id)
        if settings.spark_image:
            _build_role(
                self,
                "RecipesRole",
                name=naming.SPARK_RECIPES_ROLE,
                statements=[
                    allow.list_bucket(lake),
                    allow.read_objects(lake, naming.DATASETS_PREFIX, naming.SPARK_RUNS_PREFIX),
                    allow.write_objects(lake, naming.SPARK_RUNS_PREFIX),
                    allow.delete_objects(lake, naming.SPARK_RUNS_PREFIX),
                    allow.write_spark_logs(self),
                ],
            )
            self.recipes = RecipesOnSpark(
                application_id=application.attr_application_id, role_arn=allow.spark_recipes_role_arn(self)
            )
        CfnOutput(self, "SparkApplicationId", value=application.attr_application_id)
        CfnOutput(self, "SparkRoleArn", value=role.role_arn)


def _build_application(scope: Construct, settings: EnvironmentSettings) -> emr.CfnApplication:
    group = logs.LogGroup(
        scope,
        "Logs",
        log_group_name=naming.SPARK_LOG_GROUP,
        retention=settings.log_retention,
        removal_policy=RemovalPolicy.DESTROY,
    )
    image = None
    if settings.spark_image:
        uri = image_uri(scope, settings.spark_image)
        image = emr.CfnApplication.ImageConfigurationInputProperty(image_uri=uri)
    return emr.CfnApplication(
        scope,
        "Spark",
        name="aimass",
        type="SPARK",
        release_label=_RELEASE,
        image_configuration=image,
        auto_start_configuration=emr.CfnApplication.AutoStartConfigurationProperty(enabled=True),
        auto_stop_configuration=emr.CfnApplication.AutoStopConfigurationProperty(enabled=True, idle_timeout_minutes=15),
        maximum_capacity=emr.CfnApplication.MaximumAllowedResourcesProperty(
            cpu=f"{settings.spark_max_vcpus}vCPU", memory=f"{settings.spark_max_vcpus * 8}GB"
        ),
        monitoring_configuration=emr.CfnApplication.MonitoringConfigurationProperty(
            cloud_watch_logging_configuration=emr.CfnApplication.CloudWatchLoggingConfigurationProperty(
                enabled=True, log_group_name=group.log_group_name
            )
        ),
    )


def _build_role(scope: Stack, construct_id: str, *, name: str, statements: Sequence[iam.PolicyStatement]) -> iam.Role:
    return iam.Role(
        scope,
        construct_id,
        role_name=name,
        assumed_by=iam.ServicePrincipal(
            "emr-serverless.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": scope.account}}
        ),
        description="What a Spark job may do.",
        inline_policies={"Access": iam.PolicyDocument(statements=list(statements))},
    )
