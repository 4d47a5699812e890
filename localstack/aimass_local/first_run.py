"""The first start: makes the first workspace with its admin key.

`python -m aimass_local.first_run` runs in a process of its own with the local cloud's environment, so that the core's
AWS adapters can never see the developer's credentials. It prints the new key as JSON, or null when a workspace exists.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from aimass_local.environment import client_environment, without_foreign_variables

WORKSPACE = "default"
KEY_NAME = "local admin"

# The core's settings, and the stack outputs that hold their values.
_SETTINGS = {
    "AIMASS_REGISTRY_TABLE": "RegistryTableName",
    "AIMASS_LANDING_BUCKET": "LandingBucketName",
    "AIMASS_LAKE_BUCKET": "LakeBucketName",
}


class FirstRunError(Exception):
    """The first workspace could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKey:
    """The admin key of the first workspace; its secret is shown once."""

    workspace: str
    secret: str


def create_first_workspace(outputs: Mapping[str, str], *, port: int) -> FirstKey | None:
    """Makes the first workspace; returns None when there is one already.

    Args:
        outputs: the deployed stacks' outputs, from which the core's settings are taken.
        port: the local cloud's port.

    Raises:
        FirstRunError: the core refused.
    """
    environment = {**without_foreign_variables(os.environ), **client_environment(port)}
    done = subprocess.run(
        [sys.executable, "-m", "aimass_local.first_run"],
        input=json.dumps(dict(outputs)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last_lines = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise FirstRunError(f"the first workspace could not be made:\n{last_lines}")
    answer = json.loads(done.stdout)
    return FirstKey(**answer) if answer else None


def _create(outputs: Mapping[str, str]) -> FirstKey | None:
    """The one call into the core, with the settings that its functions get from the stack."""
    # NOTE: imported here, so that `aimass local` itself starts fast.
    from aimass_core import bootstrap, errors, settings
    from aimass_core.services import workspaces

    for variable, output in _SETTINGS.items():
        os.environ[variable] = outputs[output]
    ports = bootstrap.build_ports(settings.StorageSettings())
    try:
        workspace, secret = workspaces.create_first(ports, name=WORKSPACE, key_name=KEY_NAME)
    except errors.ConflictError:
        return None
    return FirstKey(workspace=workspace.name, secret=secret)


if __name__ == "__main__":
    created = _create(json.load(sys.stdin))
    sys.stdout.write(json.dumps(asdict(created) if created else None))
