"""Triton's logging and trace settings: what holds here, which no request changes."""

from collections.abc import Mapping
from typing import Any

from aimass_core.errors import InvalidRequestError
from aimass_core.inference.messages import PredictionRequest
from aimass_core.lambda_support import json_body

LOGGING: Mapping[str, Any] = {
    "log_file": "",
    "log_info": True,
    "log_warning": True,
    "log_error": True,
    "log_verbose_level": 0,
    "log_format": "default",
}
TRACE: Mapping[str, Any] = {
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_file": "",
    "trace_mode": "triton",
}


def answer(request: PredictionRequest, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings, also to a request that asks for what holds already.

    Raises:
        InvalidRequestError: It asks for something else: the server is everybody's.
    """
    asked = json_body.parse_object(request.text()) if request.method == "POST" and request.body else {}
    for name, value in asked.items():
        if name not in settings:
            raise InvalidRequestError(f"There is no setting {name[:100]!r}. There are: {', '.join(settings)}.")
        # NOTE: null means Triton's default, or for a model the server's setting; both are what holds.
        if value is not None and value != settings[name]:
            raise InvalidRequestError(
                f"{name} is {settings[name]!r} and cannot be changed by a request: this server answers for several "
                "callers. Each request is logged with its id, which is in the header X-Request-Id of its answer."
            )
    return settings
