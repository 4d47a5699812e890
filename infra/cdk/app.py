"""The CDK app: `cdk deploy --all -c environment=dev` (see cdk.json)."""

import aws_cdk as cdk

from infra.cdk.assets import CodeSource, StagedCode
from infra.cdk.rules import add_rules
from infra.cdk.settings import LOCAL, EnvironmentSettings, resolve_environment
from infra.cdk.stacks.application import ApplicationStack
from infra.cdk.stacks.batch import BatchStack
from infra.cdk.stacks.budget import BudgetStack
from infra.cdk.stacks.identity import IdentityStack
from infra.cdk.stacks.queries import QueriesStack
from infra.cdk.stacks.sagemaker import SageMakerStack
from infra.cdk.stacks.spark import SparkStack
from infra.cdk.stacks.stateful import StatefulStack


def add_stacks(app: cdk.App, *, settings: EnvironmentSettings, code: CodeSource) -> None:
    """All stacks of one environment."""
    stateful = StatefulStack(app, settings=settings)
    spark = SparkStack(app, settings=settings, storage=stateful.storage) if settings.spark_max_vcpus else None
    recipes_on_spark = spark.recipes if spark else None
    BatchStack(app, settings=settings, storage=stateful.storage, recipes_on_spark=recipes_on_spark)
    SageMakerStack(app, settings=settings, storage=stateful.storage)
    QueriesStack(app, settings=settings, storage=stateful.storage)
    if settings.budget_mail:
        BudgetStack(app, settings=settings)
    identity = IdentityStack(app)
    ApplicationStack(app, settings=settings, storage=stateful.storage, pool=identity.pool, code=code)


def main() -> None:
    """Synthesizes into the folder that the CDK command names, for the environment of `-c environment=...`."""
    app = cdk.App()
    name = app.node.try_get_context("environment")
    settings = resolve_environment(str(name)) if name else LOCAL
    add_stacks(app, settings=settings, code=StagedCode())
    add_rules(app)
    app.synth()


if __name__ == "__main__":
    main()
