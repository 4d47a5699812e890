"""A few training images above what augmentation makes of them, for the report."""

import numpy as np
import torch

from aimass_core.domain.algorithms.networks import CnnHyperparameters
from batch_jobs.data.augmentation.building import build_augment, build_mix
from batch_jobs.data.frames import Array

NUM_IMAGES = 8
_NUM_ROWS = 4


def augmented_rows(images: Array, hyperparameters: CnnHyperparameters, *, seed: int) -> list[Array]:
    """Some images in the first row, and rows of what is made of them; nothing where nothing is done."""
    augment, mix = build_augment(hyperparameters, images.shape[1:]), build_mix(hyperparameters)
    if augment is None and mix is None:
        return []
    chosen = images[np.linspace(0, len(images) - 1, num=min(NUM_IMAGES, len(images))).astype(int)]
    generator = torch.Generator().manual_seed(seed)
    rows = [chosen]
    for _ in range(_NUM_ROWS):
        changed = torch.from_numpy(chosen)
        if augment is not None:
            changed = augment(changed, generator)
        if mix is not None:
            changed, _ = mix(changed, generator)
        rows.append(changed.round().clamp(0, 255).to(torch.uint8).numpy())
    return rows
