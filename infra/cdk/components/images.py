"""Where our container images lie, and how they are named."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from infra.cdk import naming
from infra.cdk.components import permissions as allow


class ImageRepository(ecr.Repository):
    """Images of the job container, and that of Spark; a tag never changes its meaning."""

    def __init__(self, scope: Construct, construct_id: str, *, is_for_spark: bool) -> None:
        super().__init__(
            scope,
            construct_id,
            repository_name=naming.IMAGE_REPOSITORY,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[ecr.LifecycleRule(description="Keep the newest images", max_image_count=20)],
        )
        if is_for_spark:
            self.add_to_resource_policy(allow.let_spark_pull(self))


def image_uri(scope: Construct, image: str) -> str:
    """Of an image of ours, by its tag or its digest (`sha256:...`)."""
    stack, sign = Stack.of(scope), "@" if image.startswith("sha256:") else ":"
    return f"{stack.account}.dkr.ecr.{stack.region}.{stack.url_suffix}/{naming.IMAGE_REPOSITORY}{sign}{image}"
