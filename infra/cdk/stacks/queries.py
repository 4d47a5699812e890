"""Athena, in a stack of its own: beside LocalStack another engine may serve it."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_athena as athena
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings


class QueriesStack(Stack):
    """The workgroup of all queries: where their rows go, and how much one may read. Tables are made at run time."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, storage: Storage) -> None:
        super().__init__(scope, naming.QUERIES_STACK, description="AI Mass: SQL on Athena.")
        athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=naming.QUERY_WORKGROUP,
            description="Queries of datasets.",
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                bytes_scanned_cutoff_per_query=settings.query_max_gib * 1024**3,
                publish_cloud_watch_metrics_enabled=True,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{storage.lake.bucket_name}/{naming.QUERIES_PREFIX}",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )
        CfnOutput(self, "QueryWorkgroupName", value=naming.QUERY_WORKGROUP)
