"""A few training examples, and what augmentation makes of them, for the report."""

import numpy as np
import torch

from batch_jobs.data.augmentation.building import Augmentation
from batch_jobs.data.frames import Array

_NUM_ROWS = 4


def augmented_rows(features: Array, augmentation: Augmentation, *, seed: int) -> list[Array]:
    """The examples, and as many again several times with what is done to them; nothing where nothing is done."""
    augment, mix = augmentation.augment, augmentation.mix
    if augment is None and mix is None:
        return []
    generator = torch.Generator().manual_seed(seed)
    rows = [features]
    for _ in range(_NUM_ROWS):
        changed = torch.from_numpy(features)
        if augment is not None:
            changed = augment(changed, generator)
        if mix is not None:
            changed, _ = mix(changed, generator)
        if features.dtype == np.uint8:
            changed = changed.round().clamp(0, 255).to(torch.uint8)
        rows.append(changed.numpy())
    return rows
