"""The compute for jobs, in a stack of its own: beside LocalStack another executor may serve it."""

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from aimass_core.settings import CollectSettings, ContainerSettings
from infra.cdk import naming
from infra.cdk.components import permissions as allow
from infra.cdk.components.compute import JobCompute
from infra.cdk.components.container import collect_statements, container_statements, transfer_statements
from infra.cdk.components.environment import environment_of
from infra.cdk.components.images import ImageRepository
from infra.cdk.components.job_definition import JobDefinition, JobRole, MultinodeJobDefinition
from infra.cdk.components.network import JobNetwork
from infra.cdk.components.storage import Storage
from infra.cdk.settings import EnvironmentSettings
from infra.cdk.stacks.spark import RecipesOnSpark


class BatchStack(Stack):
    """Network, machines, queues, image repository and the definition of the job container."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        storage: Storage,
        recipes_on_spark: RecipesOnSpark | None = None,
    ) -> None:
        super().__init__(scope, naming.BATCH_STACK, description="AI Mass: compute for jobs on AWS Batch.")
        logs.LogGroup(
            self,
            "JobLogs",
            log_group_name=naming.JOB_LOG_GROUP,
            retention=settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        network = JobNetwork(self, "Network", is_private=settings.batch_private)
        compute = JobCompute(self, "Compute", network=network, settings=settings)
        repository = ImageRepository(self, "Images", is_for_spark=settings.spark_max_vcpus > 0)
        image = ecs.ContainerImage.from_ecr_repository(repository, settings.image)
        environment = _container_environment(storage)
        job_role = JobRole(
            self,
            "JobRole",
            statements=[*container_statements(storage), *_spark_statements(self, storage, recipes_on_spark)],
        )
        definition = JobDefinition(
            self,
            "JobDefinition",
            image=image,
            environment=_container_environment(storage, **_spark_variables(settings, recipes_on_spark)),
            job_role=job_role,
        )
        # Code of users runs as the others; those that read sources are the only ones that see their secrets.
        JobDefinition(
            self,
            "CollectJobDefinition",
            name=naming.COLLECT_JOB_DEFINITION,
            prefix="Collect",
            image=image,
            environment=_container_environment(
                storage,
                CollectSettings,
                collect_allowed_hosts=",".join(settings.collect_allowed_hosts),
                collect_buckets=",".join(settings.collect_buckets),
            ),
            job_role=JobRole(
                self, "CollectRole", statements=collect_statements(self, storage, buckets=settings.collect_buckets)
            ),
            execution_role=definition.container.execution_role,
        )
        JobDefinition(
            self,
            "TransferJobDefinition",
            name=naming.TRANSFER_JOB_DEFINITION,
            prefix="Transfer",
            image=image,
            environment=environment,
            job_role=JobRole(self, "TransferRole", statements=transfer_statements(storage)),
            execution_role=definition.container.execution_role,
        )
        MultinodeJobDefinition(
            self,
            "MultinodeJobDefinition",
            image=image,
            environment=environment,
            job_role=job_role,
            execution_role=definition.container.execution_role,
        )
        CfnOutput(self, "JobQueueArn", value=compute.queues[0].job_queue_arn)
        CfnOutput(self, "JobDefinitionArn", value=definition.job_definition_arn)
        CfnOutput(self, "ImageRepositoryUri", value=repository.repository_uri)
        CfnOutput(self, "JobLogGroupName", value=naming.JOB_LOG_GROUP)


def _spark_statements(scope: Construct, storage: Storage, spark: RecipesOnSpark | None) -> list[iam.PolicyStatement]:
    """Of jobs that stand in for runs of Spark, and clear away what those have left."""
    if spark is None:
        return []
    return [
        *allow.run_spark(scope, application_id=spark.application_id, role_arn=spark.role_arn),
        allow.delete_objects(storage.lake, naming.SPARK_RUNS_PREFIX),
    ]


def _spark_variables(settings: EnvironmentSettings, spark: RecipesOnSpark | None) -> dict[str, str]:
    if spark is None:
        return {}
    return {
        "spark_above_bytes": str(settings.spark_above_gib * 1024**3),
        "spark_application_id": spark.application_id,
        "spark_role_arn": spark.role_arn,
    }


def _container_environment(
    storage: Storage, cls: type[ContainerSettings] = ContainerSettings, **more: str
) -> dict[str, str]:
    values = {**storage.variables(), "ingest_queue_url": storage.ingest_queue.queue_url, **more}
    return environment_of(cls, values, given_later={"workspace_id", "job_id"})
