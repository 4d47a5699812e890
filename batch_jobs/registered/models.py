"""A registered model version, brought into the container."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import onnx

from aimass_core.domain import graph_check
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.errors import InvalidDataError
from batch_jobs.evaluate.scoring import ORT_ERRORS, Scorer


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
        """From its folder. Raises InvalidDataError where it may not be run, or cannot be."""
        loaded = cls(
            name=name,
            model=_read(path / ArtifactName.MODEL, name=name),
            signature=Signature.model_validate_json((path / ArtifactName.SIGNATURE).read_bytes()),
            card=Card.model_validate_json((path / ArtifactName.CARD).read_bytes()),
            golden=Golden.model_validate_json((path / ArtifactName.GOLDEN).read_bytes()),
        )
        try:
            _ = loaded.scorer
        except ORT_ERRORS as error:
            words = (str(error).strip() or "no reason given").splitlines()[0][:200]
            raise InvalidDataError(
                f"{name} cannot be run: ONNX Runtime refuses it ({words}). Export it anew"
            ) from error
        return loaded

    @cached_property
    def graph(self) -> onnx.ModelProto:
        """Parsed."""
        return onnx.load_from_string(self.model)

    @cached_property
    def scorer(self) -> Scorer:
        """One thread, as a Lambda runs it."""
        return Scorer(self.model, self.signature)


def _read(path: Path, *, name: str) -> bytes:
    """FAULTS F6: looked into before ONNX Runtime is."""
    num_bytes = path.stat().st_size
    if num_bytes > MAX_MODEL_BYTES:
        raise InvalidDataError(f"{name} has {num_bytes:,} bytes, and at most {MAX_MODEL_BYTES:,} are run")
    model = path.read_bytes()
    try:
        graph_check.check(model)
    except GraphError as error:
        raise InvalidDataError(
            f"{name} is not run: {error}. Export it as one file, with operators of ONNX alone"
        ) from error
    return model
