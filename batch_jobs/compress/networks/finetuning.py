"""Finetuning: what cutting has left of a network is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.compress.contract import Ground, Proposal, Settings
from batch_jobs.compress.networks.training import finetune


@dataclass(frozen=True, slots=True)
class Finetuning:
    """Settings: `epochs`; by default as many as bring something, or as there is time for."""

    method: CompressionMethod = CompressionMethod.FINETUNING

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:  # noqa: ARG002  of the contract
        """See `Method`. What was cut is a network that torch repeats."""
        return [Proposal(settings={}, is_trained=True)]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """See `Method`."""
        return finetune(model, ground, epochs=int(settings.get("epochs") or 0) or None)
