"""SageMaker's contract with a container that serves: /opt/ml/model, the program `serve`, a port, and variables.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aimass_local.containers import Image
from aimass_local.documents import Document
from aimass_local.environment import REGION
from aimass_local.objects import TransferError, download_objects, list_prefix, split_uri
from aimass_local.sagemaker.contract import build_machine_variables, relocate
from aimass_local.sagemaker.hosting.resources import Variant

COMMAND = ("serve",)


def download_model(s3: Any, container: Document, folder: Path) -> None:
    """Fills /opt/ml/model from ModelDataUrl, or from ModelDataSource. Blocks.

    Raises:
        TransferError: there is no such data, or it is no archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    try:
        if source is not None and source["CompressionType"] == "None":
            _download_files(s3, source["S3Uri"], folder)
        elif uri := source["S3Uri"] if source is not None else container.get("ModelDataUrl"):
            _unpack(s3, uri, folder)
    except (ClientError, BotoCoreError) as error:
        raise TransferError(f"Failed to download model data: {error}") from error


def build_environment(
    variant: Variant, *, base: Mapping[str, str], image: Image, root: Path, port: int
) -> dict[str, str]:
    """The variables of one container. A container listens where SAGEMAKER_BIND_TO_PORT says: all share this machine."""
    asked = {name: relocate(value, root) for name, value in variant.container.get("Environment", {}).items()}
    return {
        **base,
        **build_machine_variables(variant.instance_type),
        **image.env,
        **asked,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "AWS_REGION": REGION,
    }


def _download_files(s3: Any, uri: str, folder: Path) -> None:
    objects = list(list_prefix(s3, uri))
    if not objects:
        raise TransferError(f"Failed to download model data: there are no objects under {uri}")
    download_objects(s3, objects, folder, is_stopped=lambda: False)


def _unpack(s3: Any, uri: str, folder: Path) -> None:
    bucket, key = split_uri(uri)
    with tempfile.TemporaryFile() as file:
        s3.download_fileobj(bucket, key, file)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise TransferError(f"Failed to extract model data archive {uri}: {error}") from error
