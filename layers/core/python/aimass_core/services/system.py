"""The platform as one caller sees it."""

from aimass_core import __version__
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import MAX_UPLOAD_BYTES, MULTIPART_THRESHOLD_BYTES, PART_BYTES
from aimass_core.domain.system import DropFolder, SystemInfo
from aimass_core.ports import Ports

MAX_PAGE = 100


def get(ports: Ports, principal: Principal) -> SystemInfo:
    """Version, the caller's drop folder, and the limits that a client plans with."""
    return SystemInfo(
        version=__version__,
        workspace_id=principal.workspace_id,
        workspace_name=principal.workspace_name,
        drop_folder=DropFolder(
            bucket=ports.landing.bucket,
            prefix=f"{keys.DROP_PREFIX}{principal.workspace_name}/",
            endpoint_url=ports.landing.endpoint_url,
        ),
        limits={
            "max_page_items": MAX_PAGE,
            "max_upload_bytes": MAX_UPLOAD_BYTES,
            "multipart_threshold_bytes": MULTIPART_THRESHOLD_BYTES,
            "part_bytes": PART_BYTES,
        },
    )
