"""How a request comes to the version that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aimass_core.domain.common import Principal
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.serving.endpoints import EndpointSource, Served

Ask = Callable[[PredictionRequest, Served], PredictionAnswer]
"""What one version answers. The request's seconds may be fewer than those of the one that came."""


class Asking(Protocol):
    """Chooses the version, and asks it."""

    def answer(
        self, request: PredictionRequest, caller: Principal, name: str, ask: Ask, *, number: int | None = None
    ) -> PredictionAnswer:
        """Raises NotFoundError, UnavailableError, and what `ask` raises."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Asks what serves; for those who know of no rollouts."""

    endpoints: EndpointSource

    def answer(
        self, request: PredictionRequest, caller: Principal, name: str, ask: Ask, *, number: int | None = None
    ) -> PredictionAnswer:
        """See Asking."""
        return ask(request, self.endpoints.serve(caller.workspace_id, name, number=number))
