"""A registered model version, brought into the container."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import onnx

from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card, Golden, Signature
from batch_jobs.evaluate.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class RegisteredModel:
    """Its files. Those of a role lie in `environment.models[role]`, with digests that were verified."""

    name: str
    """`adult@3`, as the job's spec names it."""
    model: bytes
    signature: Signature
    card: Card
    golden: Golden

    @classmethod
    def load(cls, path: Path, *, name: str) -> Self:
        """From its folder."""
        return cls(
            name=name,
            model=(path / ArtifactName.MODEL).read_bytes(),
            signature=Signature.model_validate_json((path / ArtifactName.SIGNATURE).read_bytes()),
            card=Card.model_validate_json((path / ArtifactName.CARD).read_bytes()),
            golden=Golden.model_validate_json((path / ArtifactName.GOLDEN).read_bytes()),
        )

    @cached_property
    def graph(self) -> onnx.ModelProto:
        """Parsed."""
        return onnx.load_from_string(self.model)

    @cached_property
    def scorer(self) -> Scorer:
        """One thread, as a Lambda runs it."""
        return Scorer(self.model, self.signature)
