"""Functions of the platform that others of it invoke directly."""

import json
from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.errors import InternalError


class LambdaPredictor:
    """The predictions function. Satisfies `Predictor`."""

    def __init__(self, client: Any, *, function: str) -> None:
        self._client, self._function = client, function

    def predict(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Predictor. Raises InternalError where the function itself broke (a timeout, no memory)."""
        return _invoke(self._client, self._function, payload, what="the predictions function")

    def start(self, payload: Mapping[str, Any]) -> None:
        """See Predictor."""
        try:
            self._client.invoke(
                FunctionName=self._function, InvocationType="Event", Payload=json.dumps(dict(payload)).encode()
            )
        except AWS_ERRORS as error:
            raise to_error(error, what="the predictions function") from error


class LambdaPreviewer:
    """The previews function. Satisfies `Previewer`."""

    def __init__(self, client: Any, *, function: str) -> None:
        self._client, self._function = client, function

    def preview(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Previewer. Raises InternalError where the function itself broke (a timeout, no memory)."""
        return _invoke(self._client, self._function, payload, what="the previews function")


def _invoke(client: Any, function: str, payload: Mapping[str, Any], *, what: str) -> Mapping[str, Any]:
    try:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(dict(payload), allow_nan=False).encode())
        body = answer["Payload"].read()
    except AWS_ERRORS as error:
        raise to_error(error, what=what) from error
    if "FunctionError" in answer:
        raise InternalError(f"{what.capitalize()} broke: {_words(body)}")
    result: Mapping[str, Any] = json.loads(body)
    return result


def _words(body: bytes) -> str:
    """The first line of the message, which has no path in it."""
    try:
        message = str(json.loads(body).get("errorMessage", "no message"))
    except (ValueError, AttributeError):
        message = "no message"
    return (message.splitlines() or ["no message"])[0][:200]
