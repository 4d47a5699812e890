"""What goes into each function's and layer's archive, and the three ways of turning that into Lambda code."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

REPOSITORY = Path(__file__).resolve().parents[2]

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One archive, relative to the repository.

    Attributes:
        files: folders and files that keep their path in the archive.
        root: a folder whose content lies at the archive's top.
        heavy: third-party packages that pip installs when deploying to AWS; left out of the local cloud.
    """

    name: str
    files: tuple[str, ...] = ()
    root: str | None = None
    heavy: bool = False


def _function(name: str) -> Asset:
    folder = f"functions/{name}"
    # The console's source stays at home.
    files = (
        tuple(f"{folder}/{part}" for part in ("__init__.py", "app.py", "static")) if name == "console" else (folder,)
    )
    return Asset(name=folder, files=files)


FUNCTION_NAMES = (
    *("api", "authorizer", "collectors", "console", "dispatch", "ingest", "job_events", "notifications"),
    *("predictions", "previews", "reconciler"),
)
# With the further handlers that an app has.
ALL_FUNCTIONS = (*FUNCTION_NAMES, "collectors_tick")
ASSETS: Mapping[str, Asset] = {
    asset.name: asset
    for asset in (
        *(_function(name) for name in FUNCTION_NAMES),
        Asset(name="layers/core", root="layers/core"),
        Asset(name="layers/deps", root="layers/deps", heavy=True),
        Asset(name="layers/identity", root="layers/identity", heavy=True),
        Asset(name="layers/inference", root="layers/inference", heavy=True),
        Asset(name="layers/preparation", root="layers/preparation", heavy=True),
    )
}


class CodeSource(Protocol):
    """Gives the code of an asset to a function or layer."""

    def code_of(self, scope: Construct, asset: Asset) -> lambda_.Code: ...


@dataclass(frozen=True, slots=True)
class PlaceholderCode:
    """Names the asset instead of carrying it: for the checked-in templates, whose deployer makes the archives."""

    bucket_name: str = "asset-bucket"

    def code_of(self, scope: Construct, asset: Asset) -> lambda_.Code:
        name = f"Bucket-{asset.name.replace('/', '-')}"
        # An app with several handlers is one asset.
        found = scope.node.try_find_child(name) or s3.Bucket.from_bucket_name(scope, name, self.bucket_name)
        return lambda_.Code.from_bucket_v2(cast(s3.IBucket, found), f"asset:{asset.name}")


@dataclass(slots=True)
class StagedCode:
    """Copies the code into a build folder, from where the CDK uploads it.

    Raises:
        FileNotFoundError: a heavy layer has not been built.
    """

    build_path: Path = field(default=REPOSITORY / "build")

    def code_of(self, scope: Construct, asset: Asset) -> lambda_.Code:
        del scope
        return lambda_.Code.from_asset(str(self._built_layer(asset) if asset.heavy else self._stage(asset)))

    def _built_layer(self, asset: Asset) -> Path:
        path = self.build_path / asset.name
        if not (path / "python").is_dir():
            raise FileNotFoundError(f"{path}/python is missing: run `python -m infra.cdk.build_layers` first")
        return path

    def _stage(self, asset: Asset) -> Path:
        target = self.build_path / "assets" / asset.name
        shutil.rmtree(target, ignore_errors=True)
        for name in asset.files:
            if (REPOSITORY / name).is_dir():
                shutil.copytree(REPOSITORY / name, target / name, ignore=_LEFT_OUT)
            else:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPOSITORY / name, target / name)
        if asset.root:
            shutil.copytree(REPOSITORY / asset.root, target, ignore=_LEFT_OUT, dirs_exist_ok=True)
        return target
