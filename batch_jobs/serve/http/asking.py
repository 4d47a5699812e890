"""How a request comes to its model in a container: there is one version, and as much time as its settings say."""

import time
from dataclasses import dataclass, replace

from aimass_core.domain.common import Principal
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.serving.asking import Ask
from aimass_core.inference.serving.endpoints import EndpointSource


@dataclass(frozen=True, slots=True)
class WithinTime:
    """Satisfies `Asking`."""

    endpoints: EndpointSource

    def answer(
        self, request: PredictionRequest, caller: Principal, name: str, ask: Ask, *, number: int | None = None
    ) -> PredictionAnswer:
        """See Asking."""
        served = self.endpoints.serve(caller.workspace_id, name, number=number)
        seconds = served.endpoint.settings.timeout_seconds
        if seconds is not None:
            until = time.monotonic() + min(seconds, request.seconds_left())
            request = replace(request, seconds_left=lambda: until - time.monotonic())
        return ask(request, served)
