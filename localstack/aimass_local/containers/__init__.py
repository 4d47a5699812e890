"""Containers as this machine has them: a command in a process group of its own, for our Batch and our SageMaker."""

from aimass_local.containers.container import (
    Container,
    Folders,
    Image,
    StartError,
    find_image,
    make_folders,
    read_images,
)
from aimass_local.containers.logs import LogPump, PutLogEvents
from aimass_local.containers.processes import Watchdog, clear_runs

__all__ = [
    "Container",
    "Folders",
    "Image",
    "LogPump",
    "PutLogEvents",
    "StartError",
    "Watchdog",
    "clear_runs",
    "find_image",
    "make_folders",
    "read_images",
]
