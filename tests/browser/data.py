"""Data for tests of the console."""

from pathlib import Path

import aimass

HOSTILE = "<img src=x onerror=alert(1)>"
TURNED = "a\u202egpj.exe"


def upload(client: aimass.Client, folder: Path, name: str, text: str) -> None:
    """A version of the dataset `name`, READY."""
    path = folder / f"{name}.csv"
    path.write_text(text, encoding="utf-8")
    client.datasets.upload(path, name=name)
