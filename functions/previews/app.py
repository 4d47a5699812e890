"""Tries a recipe on a sample of a dataset version; invoked by the management API.

It is a function of its own because DuckDB has no room beside pyarrow in the layer of the others, and because its memory
and its disk are those of a sample, not of a request.
"""

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.domain.recipes import PreviewRequest
from aimass_core.errors import AimassError, NotFoundError
from aimass_core.lambda_support.logging import build_logger
from aimass_core.ports import BlobNotFoundError, BlobStore
from aimass_core.services.recipes import previewing
from aimass_core.settings import PreviewsSettings

logger = build_logger("previews")

# Of the function's memory, the rest is Python's and the libraries'.
MEMORY_BYTES = 1024**3

Handler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


def make_handler(lake: Callable[[], BlobStore]) -> Handler:
    """The Lambda handler over a lake, which is asked for with the first event."""

    def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        del context
        request = PreviewRequest.model_validate(event)
        with tempfile.TemporaryDirectory(prefix="aimass-preview-") as folder:
            try:
                found = previewing.preview(lake(), request, Path(folder), memory_bytes=MEMORY_BYTES)
            except BlobNotFoundError:
                return _to_error(NotFoundError("The version was deleted meanwhile. Look at the dataset again."))
            except AimassError as error:
                return _to_error(error)
        logger.info("preview", workspace_id=request.workspace_id, num_sampled=found.num_sampled)
        return {"preview": found.model_dump(mode="json")}

    return handle


def _to_error(error: AimassError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message}}


@cache
def _deployed() -> BlobStore:
    return bootstrap.build_ports(PreviewsSettings()).lake


handler = make_handler(_deployed)
