"""Documentation of the JSON documents that jobs leave among their artifacts: what is behind the API's links."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from aimass_core.domain.batch_predictions import BatchPrediction
from aimass_core.domain.compression import Compression
from aimass_core.domain.decomposition import Decomposition
from aimass_core.domain.fusion import Fusion
from aimass_core.domain.recipes import Preparation
from aimass_core.domain.reports import ModelReport
from aimass_core.domain.studies import Leaderboard

DOCUMENTS: Final[tuple[type[BaseModel], ...]] = (
    BatchPrediction,
    Compression,
    Decomposition,
    Fusion,
    Leaderboard,
    Preparation,
    ModelReport,
)


def add_documents(document: dict[str, Any]) -> None:
    """Adds their schemas. Parts that operations answer too are there already."""
    _, made = models_json_schema(
        [(model, "serialization") for model in DOCUMENTS], ref_template="#/components/schemas/{model}"
    )
    schemas = document["components"]["schemas"]
    for name, schema in made["$defs"].items():
        schemas.setdefault(name, schema)
