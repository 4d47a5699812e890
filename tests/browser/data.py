"""Data for tests of the console."""

from pathlib import Path

import aimass
from aimass_core.domain.workspaces import WorkspaceCreated

HOSTILE = "<img src=x onerror=alert(1)>"
TURNED = "a\u202egpj.exe"


def open_workspace(client: aimass.Client, name: str) -> WorkspaceCreated:
    """Another workspace, with the key of its first admin."""
    return WorkspaceCreated.model_validate(client.http.request("POST", "/v1/workspaces", body={"name": name}))


def upload(client: aimass.Client, folder: Path, name: str, text: str) -> None:
    """A version of the dataset `name`, READY."""
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    client.datasets.upload(path, name=name)
