"""What a script is told, as SageMaker's training toolkit tells it: arguments and SM_* variables, and nothing else.

https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aimass_core.domain.jobs import ScriptSpec
from batch_jobs.runtime.environment import Environment

# What of our own environment goes on; all else stays behind, credentials and their addresses first of all.
_KEPT = frozenset(
    {
        "CURL_CA_BUNDLE",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        # The local cloud finds the processes of a container by it; it names a folder.
        "AIMASS_LOCAL_CONTAINER",
    }
)
_KEPT_PREFIXES = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_", "NVIDIA_", "NCCL_")
_FOR_PIP = frozenset({"HOME", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})


def to_arguments(spec: ScriptSpec) -> list[str]:
    """`--epochs 3`, and `-k 3` for a name of one letter."""
    pairs = [(f"-{name}" if len(name) == 1 else f"--{name}", value) for name, value in spec.hyperparameters.items()]
    return [text for name, value in pairs for text in (name, str(value))]


def for_pip(variables: Mapping[str, str]) -> dict[str, str]:
    """Of the process that installs requirements: where to find an index, but no credentials of ours."""
    pip = {name: value for name, value in variables.items() if name in _FOR_PIP or name.startswith("PIP_")}
    return kept(variables) | pip


def for_script(
    environment: Environment, spec: ScriptSpec, variables: Mapping[str, str], *, code: Path, packages: Path
) -> dict[str, str]:
    """The whole environment of the script's process."""
    base = environment.base_path
    told: dict[str, Any] = {
        "SM_MODEL_DIR": str(environment.model_path),
        "SM_OUTPUT_DIR": str(base / "output"),
        "SM_OUTPUT_DATA_DIR": str(environment.output_path),
        "SM_OUTPUT_INTERMEDIATE_DIR": str(base / "output" / "intermediate"),
        "SM_CHECKPOINT_DIR": str(environment.checkpoint_path),
        "SM_INPUT_DIR": str(base / "input"),
        "SM_INPUT_CONFIG_DIR": str(base / "input" / "config"),
        "SM_INPUT_DATA_CONFIG": {name: {"TrainingInputMode": "File"} for name in environment.channels},
        "SM_CHANNELS": sorted(environment.channels),
        "SM_HPS": dict(spec.hyperparameters),
        "SM_USER_ARGS": to_arguments(spec),
        "SM_USER_ENTRY_POINT": spec.entry_point,
        "SM_MODULE_NAME": spec.entry_point.removesuffix(".py").replace("/", "."),
        "SM_MODULE_DIR": str(code),
        "SM_HOSTS": list(environment.cluster.hosts),
        "SM_CURRENT_HOST": environment.cluster.host,
        "SM_NUM_CPUS": environment.num_cpus,
        "SM_NUM_GPUS": environment.num_gpus,
        "SM_NUM_NEURONS": 0,
        "SM_LOG_LEVEL": 20,
        "SM_NETWORK_INTERFACE_NAME": "eth0",
        "SM_RESOURCE_CONFIG": {
            "current_host": environment.cluster.host,
            "hosts": list(environment.cluster.hosts),
            "network_interface_name": "eth0",
        },
    }
    told |= {f"SM_CHANNEL_{name.upper()}": str(path) for name, path in environment.channels.items()}
    told |= {f"SM_HP_{name.upper()}": value for name, value in spec.hyperparameters.items()}
    told["SM_TRAINING_ENV"] = _to_training_env(environment, spec, code=code)
    return (
        kept(variables)
        | {
            "HOME": str(code),
            # Converters to ONNX write sets in the order of their hashes: the same script shall make the same bytes.
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": f"{code}:{packages}",
            "SAGEMAKER_BASE_DIR": str(base),
        }
        | {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
    )


def kept(variables: Mapping[str, str]) -> dict[str, str]:
    """What a program of the user's own may know of our environment: no credentials."""
    return {name: value for name, value in variables.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def _to_training_env(environment: Environment, spec: ScriptSpec, *, code: Path) -> dict[str, Any]:
    base = environment.base_path
    return {
        "channel_input_dirs": {name: str(path) for name, path in environment.channels.items()},
        "current_host": environment.cluster.host,
        "hosts": list(environment.cluster.hosts),
        "hyperparameters": dict(spec.hyperparameters),
        "input_dir": str(base / "input"),
        "input_config_dir": str(base / "input" / "config"),
        "is_master": environment.cluster.host == environment.cluster.hosts[0],
        "master_hostname": environment.cluster.hosts[0],
        "model_dir": str(environment.model_path),
        "module_dir": str(code),
        "module_name": spec.entry_point.removesuffix(".py").replace("/", "."),
        "num_cpus": environment.num_cpus,
        "num_gpus": environment.num_gpus,
        "output_dir": str(base / "output"),
        "output_data_dir": str(environment.output_path),
        "user_entry_point": spec.entry_point,
    }
