"""SageMaker's contract with a container: the files below /opt/ml and the variables that it finds.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html

On this machine /opt/ml is a folder of the container's own. SAGEMAKER_BASE_DIR names it, as AWS's toolkits expect, and
where a request, or a driver script of AWS's SDK, says /opt/ml literally, it is rewritten to that folder.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aimass_local.containers import Image
from aimass_local.documents import Document
from aimass_local.environment import REGION
from aimass_local.sagemaker.jobs import TrainingJob

_OPT_ML = "/opt/ml"
_FOLDERS = ("input/config", "input/data", "model", "output/data", "checkpoints", "code")
_NAMES_PATH = Path(__file__).parent / "names"
_DRIVERS_CHANNEL = "sm_drivers"
_DRIVER_SUFFIXES = {".py", ".sh", ".json"}
_MASTER_ADDRESS = 'SM_MASTER_ADDR = "algo-1"'
_SIZES = {"medium": 1, "large": 2, "xlarge": 4}
_VCPUS_PER_XLARGE = 4
_GPU_FAMILIES = ("ml.p", "ml.g")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One host of a job: algo-1, algo-2, ..."""

    index: int
    instance_type: str
    group: str

    @property
    def name(self) -> str:
        return f"algo-{self.index + 1}"

    @property
    def address(self) -> str:
        """An address of its own where the whole 127/8 is this machine, so that two hosts may listen on one port."""
        return f"127.0.0.{self.index + 1}" if sys.platform == "linux" else "127.0.0.1"


def list_instances(job: TrainingJob) -> list[Instance]:
    """The hosts of a job, group by group."""
    resources = job.request["ResourceConfig"]
    groups = resources.get("InstanceGroups") or [
        {
            "InstanceGroupName": "homogeneousCluster",
            "InstanceType": resources["InstanceType"],
            "InstanceCount": job.num_instances,
        }
    ]
    members = [group for group in groups for _ in range(group["InstanceCount"])]
    return [
        Instance(index=index, instance_type=group["InstanceType"], group=group["InstanceGroupName"])
        for index, group in enumerate(members)
    ]


def write_configuration(job: TrainingJob, instance: Instance, instances: list[Instance], root: Path) -> None:
    """Makes the folders and writes /opt/ml/input/config."""
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    hyperparameters = job.request.get("HyperParameters", {})
    files = {
        "hyperparameters.json": {name: relocate(value, root) for name, value in hyperparameters.items()},
        "inputdataconfig.json": {
            channel["ChannelName"]: _describe_channel(job, channel)
            for channel in job.request.get("InputDataConfig", [])
        },
        "resourceconfig.json": _describe_resources(instance, instances),
    }
    for name, content in files.items():
        (root / "input/config" / name).write_text(json.dumps(content))


def relocate(text: str, root: Path) -> str:
    """The text with the container's folder in place of /opt/ml."""
    return text.replace(_OPT_ML, str(root))


def relocate_drivers(root: Path) -> None:
    """Adapts the scripts that AWS's SDK sends along; they read no SAGEMAKER_BASE_DIR, and MPI resolves no algo-1."""
    for path in (root / "input/data" / _DRIVERS_CHANNEL).rglob("*"):
        if path.suffix in _DRIVER_SUFFIXES and path.is_file():
            text = path.read_text(errors="surrogateescape")
            adapted = relocate(text, root).replace(_MASTER_ADDRESS, 'SM_MASTER_ADDR = "127.0.0.1"')
            path.write_text(adapted, errors="surrogateescape")


def build_command(job: TrainingJob, root: Path) -> list[str]:
    """What the container runs: the request's entry point, or the image's program `train`."""
    algorithm = job.request["AlgorithmSpecification"]
    entrypoint = algorithm.get("ContainerEntrypoint", [])
    arguments = algorithm.get("ContainerArguments", [] if entrypoint else ["train"])
    return [relocate(word, root) for word in (*entrypoint, *arguments)]


def build_environment(
    job: TrainingJob,
    instance: Instance,
    instances: list[Instance],
    *,
    base: Mapping[str, str],
    image: Image,
    root: Path,
) -> dict[str, str]:
    """The variables of one host's container. Toolkits in the image make the SM_* ones from the files."""
    asked = {name: relocate(value, root) for name, value in job.request.get("Environment", {}).items()}
    python_path = (str(_NAMES_PATH), image.env.get("PYTHONPATH"), asked.get("PYTHONPATH"))
    return {
        **base,
        **build_machine_variables(instance.instance_type),
        **image.env,
        **asked,
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        "AIMASS_LOCAL_HOSTS": ",".join(f"{other.name}={other.address}" for other in instances),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "AWS_REGION": REGION,
    }


def build_machine_variables(instance_type: str) -> dict[str, str]:
    """Lets a container take itself to be on such an instance; this machine may have less."""
    size = instance_type.rpartition(".")[2]
    times = re.fullmatch(r"(\d+)xlarge", size)
    # By AWS's naming: large has 2, xlarge 4, Nxlarge N times 4.
    num_vcpus = int(times[1]) * _VCPUS_PER_XLARGE if times else _SIZES.get(size, 1)
    return {
        "OMP_NUM_THREADS": str(min(num_vcpus, os.cpu_count() or 1)),
        **({} if instance_type.startswith(_GPU_FAMILIES) else {"CUDA_VISIBLE_DEVICES": ""}),
    }


def _describe_channel(job: TrainingJob, channel: Document) -> Document:
    source = channel["DataSource"]["S3DataSource"]
    described = {
        "TrainingInputMode": channel.get("InputMode", job.request["AlgorithmSpecification"]["TrainingInputMode"]),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return described | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})


def _describe_resources(instance: Instance, instances: list[Instance]) -> Document:
    groups: dict[str, Document] = {}
    for other in instances:
        empty = {"instance_group_name": other.group, "instance_type": other.instance_type, "hosts": []}
        groups.setdefault(other.group, empty)["hosts"].append(other.name)
    return {
        "current_host": instance.name,
        "current_instance_type": instance.instance_type,
        "current_group_name": instance.group,
        "hosts": [other.name for other in instances],
        "instance_groups": list(groups.values()),
        "network_interface_name": "lo" if sys.platform == "linux" else "lo0",
    }
