"""Where the local cloud keeps its files, and the environment variables each of its processes runs with.

Every process of the local cloud (server, Lambda worker, Batch container, set-up step) is given its whole AWS
configuration here. Nothing of the developer's own AWS configuration leaks in: no profile, no credentials file, no
session token, so that a mistake can never reach a real account.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
HOST = "127.0.0.1"
DEFAULT_PORT = 4566
DEFAULT_DATA_DIR = ".aimass"
API_ID = "main"
API_STAGE = "live"
REPOSITORY = Path(__file__).resolve().parents[2]

# Variables of the developer's shell that must not reach the local cloud, beside everything that starts with AWS_.
_FOREIGN_VARIABLES = frozenset(
    {"BOTO_CONFIG", "PYTHONHOME", "LOCALSTACK_HOSTNAME", "MINISTACK_HOST", "USE_SSL", "AUTH"}
)
_FOREIGN_PREFIXES = ("AWS_", "MINISTACK_", "LAMBDA_", "S3_", "SFTP_", "IOT_", "ATHENA_")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """The folder that holds everything the local cloud knows: deleting it is a reset."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> DataDirectory:
        return cls(root=path.expanduser().resolve())

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def journal(self) -> Path:
        """What changed since the state was saved."""
        return self.root / "journal"

    @property
    def objects(self) -> Path:
        return self.root / "s3"

    @property
    def multipart(self) -> Path:
        """Parts of uploads that are not finished."""
        return self.root / "multipart"

    @property
    def batch(self) -> Path:
        return self.root / "batch"

    @property
    def sagemaker(self) -> Path:
        return self.root / "sagemaker"

    @property
    def emr_serverless(self) -> Path:
        return self.root / "emr-serverless"

    @property
    def images_path(self) -> Path:
        """Images beside our own: a JSON object of globs over image names and the Python that stands for each."""
        return self.root / "images.json"

    @property
    def scratch(self) -> Path:
        """Temporary files of the server and the Lambda workers, wiped at every start."""
        return self.root / "tmp"

    @property
    def log_path(self) -> Path:
        return self.root / "server.log"

    @property
    def lock_path(self) -> Path:
        return self.root / "server.lock"

    @property
    def outputs_path(self) -> Path:
        """What the last deployment put out (`deployment.deploy`)."""
        return self.root / "outputs.json"

    @property
    def first_run_path(self) -> Path:
        """There once the first workspace is made; holds the digest of its key."""
        return self.root / "first-run"

    def create(self) -> None:
        """Makes the folder, readable by its owner only: it holds keys and data."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        services = (self.batch, self.sagemaker, self.emr_serverless)
        folders = (self.state, self.journal, self.objects, self.multipart, *services, self.scratch)
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)


def endpoint_url(port: int) -> str:
    return f"http://{HOST}:{port}"


def client_environment(port: int) -> dict[str, str]:
    """What a process needs to talk to the local cloud as if it were AWS."""
    # NOTE: botocore falls back to virtual-hosted addressing for a name, never for an IP: keep the IP for S3.
    return {**endpoint_environment(endpoint_url(port)), "AWS_ENDPOINT_URL_S3": endpoint_url(port)}


def endpoint_environment(url: str) -> dict[str, str]:
    """What a process needs to talk to an emulator as if it were AWS.

    `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` point at nothing, so that the developer's files are not read.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "POWERTOOLS_TRACE_DISABLED": "true",
        # A company's proxy cannot reach this machine's loopback address.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def server_environment(
    data: DataDirectory, *, port: int, host_environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of the server process; Lambda workers and Batch containers inherit from it."""
    return {
        **without_foreign_variables(os.environ if host_environment is None else host_environment),
        **client_environment(port),
        # The emulator's own settings, read when it is imported.
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data.objects),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # The emulator would otherwise look for containers to clean up in the developer's Docker.
        "DOCKER_HOST": f"unix://{data.scratch / 'no-docker.sock'}",
        "LOG_LEVEL": "WARNING",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "1",
        "LAMBDA_WARM_TTL_SECONDS": "60",
        "TMPDIR": str(data.scratch),
        "PYTHONUNBUFFERED": "1",
        # Every Lambda worker unpacks its code into a folder of its own: byte code written there is never read again.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextlib.contextmanager
def applied(environment: Mapping[str, str]) -> Iterator[None]:
    """Makes `environment` this process's whole environment for the duration of the block."""
    before = dict(os.environ)
    _replace_environment(environment)
    try:
        yield
    finally:
        _replace_environment(before)


def without_foreign_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in _FOREIGN_VARIABLES and not name.startswith(_FOREIGN_PREFIXES)
    }


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
