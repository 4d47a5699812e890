"""The encoder of each kind of data."""

from collections.abc import Sequence

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import Column, ImageShape
from batch_jobs.data.frames import Frame
from batch_jobs.encoding.contract import Encoder
from batch_jobs.encoding.pixels import PixelEncoder
from batch_jobs.encoding.table import fit_table_encoder


def fit_encoder(kind: DataKind, frame: Frame, columns: Sequence[Column], *, image_shape: ImageShape | None) -> Encoder:
    """Fitted on training rows. `image_shape` is that of all images, None where there are none."""
    if image_shape is not None:
        return PixelEncoder(column=columns[0].name, shape=image_shape)
    if kind is DataKind.TABLE:
        return fit_table_encoder(frame, columns)
    raise NotImplementedError(f"nothing encodes data of the kind {kind} yet")
