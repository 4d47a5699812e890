"""Workspaces: the boundary of every permission."""

from typing import ClassVar

from aimass_core.domain.common import Name, Request, Resource, Text


class Workspace(Resource):
    """Everything that one team owns. Nobody outside sees that it exists."""

    resource: ClassVar[str] = "workspace"
    prefix: ClassVar[str] = "ws"

    name: str
    description: str = ""


class WorkspaceCreate(Request):
    """Body of POST /v1/workspaces. The answer carries the new workspace's first admin key, once."""

    name: Name
    description: Text = ""


class WorkspaceCreated(Workspace):
    """The only answer that ever carries the secret of the new workspace's first admin key."""

    secret: str


class WorkspaceUpdate(Request):
    """Body of PATCH /v1/workspaces/{id}."""

    description: Text
