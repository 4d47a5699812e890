"""Admin keys of the first workspace, which the first start makes with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aimass_local.environment import applied, client_environment, without_foreign_variables

if TYPE_CHECKING:
    from aimass_core.ports import Ports

WORKSPACE = "default"
KEY_NAME = "local admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    """Of the first workspace; its secret is shown once."""

    workspace: str
    secret: str


def create_first_workspace(outputs: Mapping[str, str], *, port: int) -> AdminKey | None:
    """Makes the first workspace with its admin key; returns None when there is one already.

    Args:
        outputs: the deployed stacks' outputs, which name the tables and buckets.
        port: the local cloud's port.
    """
    from aimass_core import errors
    from aimass_core.services import workspaces

    with _opened(outputs, port=port) as ports:
        try:
            workspace, secret = workspaces.create_first(ports, name=WORKSPACE, key_name=KEY_NAME)
        except errors.ConflictError:
            return None
    return AdminKey(workspace=workspace.name, secret=secret)


def create_another_key(outputs: Mapping[str, str], *, port: int) -> AdminKey:
    """Another admin key of the first workspace, for whoever has the machine and lost theirs.

    Raises:
        NotFoundError: the first workspace was deleted.
    """
    from aimass_core.domain.api_keys import ApiKeyCreate
    from aimass_core.domain.common import Role
    from aimass_core.services import api_keys, platform, workspaces

    with _opened(outputs, port=port) as ports:
        workspace_id = workspaces.find_first_id(ports) or ""
        bootstrap = platform.principal("bootstrap", workspace_id)
        workspace = workspaces.get(ports, bootstrap, workspace_id)
        by = bootstrap.model_copy(update={"workspace_name": workspace.name})
        key = api_keys.create(ports, by, ApiKeyCreate(name=KEY_NAME, role=Role.ADMIN))
    return AdminKey(workspace=workspace.name, secret=key.secret)


@contextmanager
def _opened(outputs: Mapping[str, str], *, port: int) -> Iterator[Ports]:
    # NOTE: imported here, as few commands need it.
    from aimass_core import bootstrap, settings

    storage = settings.StorageSettings(
        registry_table=outputs["RegistryTableName"],
        studies_table=outputs["StudiesTableName"],
        landing_bucket=outputs["LandingBucketName"],
        lake_bucket=outputs["LakeBucketName"],
    )
    # The core builds its clients as it does in a Lambda: from the environment, which must not be the developer's.
    with applied({**without_foreign_variables(os.environ), **client_environment(port)}):
        yield bootstrap.build_ports(storage)
