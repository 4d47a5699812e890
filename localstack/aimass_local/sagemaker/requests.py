"""What CreateTrainingJob asks for beyond its form: what this machine cannot give is refused, never left out silently.

What changes nothing here (VPCs, encryption keys, volumes, profilers, experiments) is taken and shown, without effect.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError

_OPT_ML = PurePosixPath("/opt/ml")


def check(request: Document) -> None:
    """Raises ValidationError."""
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if name not in request:
            raise ValidationError(f"{name} is required: the local SageMaker runs containers only")
    _check_algorithm(request["AlgorithmSpecification"])
    _check_resources(request["ResourceConfig"])
    _check_waiting(request)
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(names)) != len(names):
        raise ValidationError(f"Channel names must be unique, got {names}")
    for channel in request.get("InputDataConfig", []):
        _check_channel(channel, default_mode=request["AlgorithmSpecification"]["TrainingInputMode"])
    _check_checkpoints(request.get("CheckpointConfig", {}))


def _check_algorithm(algorithm: Document) -> None:
    if "TrainingImage" not in algorithm:
        raise ValidationError(
            "AlgorithmSpecification.TrainingImage is required: there is no marketplace on this machine"
        )


def _check_resources(resources: Document) -> None:
    has_groups, has_type = "InstanceGroups" in resources, "InstanceType" in resources
    if has_groups == has_type:
        raise ValidationError("ResourceConfig takes either InstanceType with InstanceCount, or InstanceGroups")
    if has_type and resources.get("InstanceCount", 0) < 1:
        raise ValidationError("ResourceConfig.InstanceCount must be at least 1")


def _check_waiting(request: Document) -> None:
    condition = request["StoppingCondition"]
    longest = condition.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining", False):
        if longest is not None:
            raise ValidationError("MaxWaitTimeInSeconds requires EnableManagedSpotTraining")
        return
    runtime = condition.get("MaxRuntimeInSeconds", 0)
    if longest is None or longest < runtime:
        raise ValidationError(
            f"Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            f"({runtime}) for managed spot training"
        )


def _check_channel(channel: Document, *, default_mode: str) -> None:
    name, mode = channel["ChannelName"], channel.get("InputMode", default_mode)
    if mode == "Pipe":
        raise ValidationError(f"Channel {name}: the local SageMaker has no Pipe mode; use File or FastFile")
    if channel.get("CompressionType", "None") != "None":
        raise ValidationError(f"Channel {name}: CompressionType is supported in Pipe mode only")
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise ValidationError(f"Channel {name}: the local SageMaker reads S3DataSource only")
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise ValidationError(f"Channel {name}: S3DataType {source['S3DataType']} needs Pipe mode")


def _check_checkpoints(checkpoints: Document) -> None:
    path = PurePosixPath(checkpoints.get("LocalPath", _OPT_ML / "checkpoints"))
    if ".." in path.parts or not path.is_relative_to(_OPT_ML):
        raise ValidationError(f"CheckpointConfig.LocalPath is {path}; on this machine it has to lie below {_OPT_ML}")
