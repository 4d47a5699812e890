"""The CDK app: `cdk deploy --all -c environment=dev` (see cdk.json)."""

from pathlib import Path

import aws_cdk as cdk

from infra.cdk.assets import CodeSource, StagedCode
from infra.cdk.settings import LOCAL, EnvironmentSettings, resolve_environment
from infra.cdk.stacks.application import ApplicationStack
from infra.cdk.stacks.batch import BatchStack
from infra.cdk.stacks.stateful import StatefulStack


def build_app(*, settings: EnvironmentSettings, code: CodeSource, out_path: Path | None = None) -> cdk.App:
    """All stacks of one environment, in the order in which they are deployed."""
    app = cdk.App(outdir=str(out_path) if out_path else None, analytics_reporting=False)
    add_stacks(app, settings=settings, code=code)
    return app


def add_stacks(app: cdk.App, *, settings: EnvironmentSettings, code: CodeSource) -> None:
    """Puts the stacks into an app."""
    stateful = StatefulStack(app)
    BatchStack(app, settings=settings, storage=stateful.storage)
    ApplicationStack(app, settings=settings, storage=stateful.storage, code=code)


def main() -> None:
    """Synthesizes into the folder that the CDK command names, for the environment of `-c environment=...`."""
    app = cdk.App()
    name = app.node.try_get_context("environment")
    settings = resolve_environment(str(name)) if name else LOCAL
    add_stacks(app, settings=settings, code=StagedCode())
    app.synth()


if __name__ == "__main__":
    main()
