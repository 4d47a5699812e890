"""The first start: makes the first workspace with its admin key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from aimass_local.environment import applied, client_environment, without_foreign_variables

WORKSPACE = "default"
KEY_NAME = "local admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKey:
    """The admin key of the first workspace; its secret is shown once."""

    workspace: str
    secret: str


def create_first_workspace(outputs: Mapping[str, str], *, port: int) -> FirstKey | None:
    """Makes the first workspace; returns None when there is one already.

    Args:
        outputs: the deployed stacks' outputs, which name the tables and buckets.
        port: the local cloud's port.
    """
    # NOTE: imported here, as only the very first start needs it.
    from aimass_core import bootstrap, errors, settings
    from aimass_core.services import workspaces

    storage = settings.StorageSettings(
        registry_table=outputs["RegistryTableName"],
        studies_table=outputs["StudiesTableName"],
        landing_bucket=outputs["LandingBucketName"],
        lake_bucket=outputs["LakeBucketName"],
    )
    # The core builds its clients as it does in a Lambda: from the environment, which must not be the developer's.
    with applied({**without_foreign_variables(os.environ), **client_environment(port)}):
        try:
            workspace, secret = workspaces.create_first(
                bootstrap.build_ports(storage), name=WORKSPACE, key_name=KEY_NAME
            )
        except errors.ConflictError:
            return None
    return FirstKey(workspace=workspace.name, secret=secret)
