"""The encoder of each kind of data."""

from collections.abc import Sequence

from aimass_core.domain.algorithms.contract import DataKind, TextReading
from aimass_core.domain.common import Request
from aimass_core.domain.schemas import Column, ImageShape
from batch_jobs.data.frames import Array, Frame
from batch_jobs.encoding.contract import Encoder
from batch_jobs.encoding.pixels import PixelEncoder
from batch_jobs.encoding.series import fit_series_encoder
from batch_jobs.encoding.table import fit_table_encoder
from batch_jobs.encoding.text import fit_text_encoder


def fit_encoder(
    kind: DataKind,
    frame: Frame,
    columns: Sequence[Column],
    *,
    targets: Array | None,
    hyperparameters: Request,
    image_shape: ImageShape | None,
    window: int | None = None,
) -> Encoder:
    """Fitted on training rows.

    Args:
        kind: What the algorithm learns from.
        frame: The training rows.
        columns: The feature columns, in the order of the frame.
        targets: Theirs: indices of classes, truths of labels, or numbers.
        hyperparameters: Of the algorithm; some say how data is read.
        image_shape: That of all images, None where there are none.
        window: The length of all series; None: any.
    """
    if image_shape is not None:
        return PixelEncoder(column=columns[0].name, shape=image_shape)
    if kind is DataKind.SERIES:
        return fit_series_encoder(frame, columns, window=window)
    if kind is DataKind.TABLE:
        return fit_table_encoder(frame, columns, targets)
    if kind is DataKind.TEXT:
        reading = hyperparameters if isinstance(hyperparameters, TextReading) else TextReading()
        return fit_text_encoder(frame, columns, reading)
    raise NotImplementedError(f"nothing encodes data of the kind {kind} yet")
