"""What the operations of hosting ask for beyond their form: what this machine cannot give is refused, not left out.

What changes nothing here (VPCs, encryption keys, volumes, data capture) is taken and shown, without effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError
from aimass_local.sagemaker.hosting.resources import Definition

_DATA_TYPES = ("S3Prefix", "S3Object")


def check_model(request: Document) -> None:
    """Raises ValidationError."""
    containers = [
        *request.get("Containers", []),
        *([request["PrimaryContainer"]] if "PrimaryContainer" in request else []),
    ]
    if len(containers) != 1:
        raise ValidationError(
            f"The local SageMaker runs models of one container (PrimaryContainer), got {len(containers)}"
        )
    container = containers[0]
    if "Image" not in container:
        raise ValidationError("PrimaryContainer.Image is required: there are no model packages on this machine")
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise ValidationError(
            "PrimaryContainer.Mode MultiModel is not supported by the local SageMaker: use SingleModel"
        )
    if "AdditionalModelDataSources" in container:
        raise ValidationError("AdditionalModelDataSources are not supported by the local SageMaker")
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise ValidationError("PrimaryContainer takes either ModelDataUrl or ModelDataSource")
    source = container.get("ModelDataSource", {"S3DataSource": {"S3DataType": "S3Prefix"}}).get("S3DataSource")
    if source is None or source["S3DataType"] not in _DATA_TYPES:
        raise ValidationError(
            f"ModelDataSource needs an S3DataSource whose S3DataType is one of {', '.join(_DATA_TYPES)}"
        )


def check_config(request: Document, models: Mapping[str, Definition]) -> None:
    """Raises ValidationError."""
    if request.get("ShadowProductionVariants"):
        raise ValidationError("ShadowProductionVariants are not supported by the local SageMaker")
    if "ExplainerConfig" in request:
        raise ValidationError("ExplainerConfig is not supported by the local SageMaker")
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    if len(set(names)) != len(names):
        raise ValidationError(f"The names of production variants must be unique, got {names}")
    for variant in variants:
        _check_variant(variant, models)


def _check_variant(variant: Document, models: Mapping[str, Definition]) -> None:
    name = variant["VariantName"]
    if variant.get("ModelName") not in models:
        raise ValidationError(f'Could not find model "{variant.get("ModelName")}", which the variant {name} names.')
    is_serverless = "ServerlessConfig" in variant
    if is_serverless is ("InstanceType" in variant):
        raise ValidationError(f"The variant {name} takes either InstanceType or ServerlessConfig")
    if "InstancePools" in variant:
        raise ValidationError("InstancePools are not supported by the local SageMaker")
    if not is_serverless and variant.get("InitialInstanceCount", 0) < 1:
        raise ValidationError(f"The variant {name} needs an InitialInstanceCount of at least 1")
    if is_serverless and "InitialInstanceCount" in variant:
        raise ValidationError(f"The variant {name} is serverless: it takes no InitialInstanceCount")
