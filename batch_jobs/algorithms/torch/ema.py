"""Moving average of a network's weights: smoother than the weights of any one step."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def build_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """None where the decay is 0. Buffers (running means of normalisation) are averaged as well.

    The first steps decay faster, as in TensorFlow's ExponentialMovingAverage, so that the average forgets where the
    training began.
    """
    if not decay:
        return None

    @torch.no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], _: Tensor | int) -> None:
        # NOTE: what is passed is a copy on the device, and to read it waits for all that is queued there.
        done = int(averaged.n_averaged)
        share = 1 - min(decay, (1 + done) / (10 + done))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.dtype), share)
            else:
                average.copy_(value)

    averaged = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    return averaged
