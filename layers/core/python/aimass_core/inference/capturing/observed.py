"""What one answered request was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.signatures import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Rows that were answered: `rows` are their places in `inputs` (and `records`), `outputs` the model's for
    each, where somebody looks at them (`is_observed`).

    `records` are friendly rows as they were sent; `client_id` is what the client of the protocol called its request.
    """

    endpoint: Endpoint
    version: ServedModel
    signature: Signature
    inputs: Mapping[str, NDArray[Any]]
    rows: Sequence[int]
    outputs: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]] = ()
    client_id: str | None = None


def is_observed(endpoint: Endpoint) -> bool:
    """Whether anybody looks at what single rows were answered: a sample is captured, or versions are compared."""
    return endpoint.settings.capture.percent > 0 or endpoint.rollout is not None
