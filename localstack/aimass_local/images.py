"""What stands for container images: this interpreter for ours, others by `images.json`."""

from __future__ import annotations

import sys
from pathlib import Path

from aimass_local.containers import Image, read_images
from aimass_local.environment import HOST, REPOSITORY

# Container images by name; every one of ours is this interpreter, run in the repository.
_OWN_IMAGES = ("*aimass*batch-jobs*", "*batch-jobs*")


def list_images(path: Path) -> dict[str, Image]:
    """Ours, and those that the file names. Raises OSError where it cannot be understood."""
    # NOTE: a container listens to its network; here that is this machine's, where nobody else has anything to ask.
    serve = ("-m", "batch_jobs", "serve", "--host", HOST)
    own = Image(python=Path(sys.executable), cwd=REPOSITORY, env={}, programs={"serve": serve})
    return {**dict.fromkeys(_OWN_IMAGES, own), **read_images(path)}
