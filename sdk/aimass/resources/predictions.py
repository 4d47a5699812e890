"""Predictions that are answered later, and inputs that are too large for a request."""

from __future__ import annotations

import hashlib
import time

from aimass.binding import Api, Bound
from aimass.errors import ConnectionFailedError, WaitTimeoutError
from aimass_core.domain import predictions as contract
from aimass_core.domain.endpoints import Predictions
from aimass_core.domain.predictions import DeferredStatus, PredictionInput, PredictionInputCreate
from aimass_core.errors import InternalError, error_classes

_PATH = "/v1/predictions"
_POLL_SECONDS = (0.2, 5.0)
_ALREADY_THERE = 412


class DeferredPrediction(contract.DeferredPrediction, Bound):
    """Rows that were asked about, and will be answered."""

    def wait(self, *, timeout_seconds: float = 3_600) -> Predictions:
        """The answer, once it is there.

        Raises:
            AimassError: As the prediction itself would have, where it failed.
            WaitTimeoutError: It is not there after `timeout_seconds`; it can be waited for again.
        """
        deadline, pause, found = time.monotonic() + timeout_seconds, _POLL_SECONDS[0], self
        while found.status is DeferredStatus.SUBMITTED:
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"Prediction {self.id} is not answered after {timeout_seconds:g} s.")
            time.sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])
            found = self._client.predictions.get(self.id)
        if found.answer is None:
            raise error_classes().get(found.code or "", InternalError)(found.status_reason or "It failed.")
        return Predictions.model_validate_json(self._client.http.fetch(found.answer.url, name=f"prediction {self.id}"))


class PredictionsApi(Api):
    """`client.predictions`."""

    def get(self, prediction: str) -> DeferredPrediction:
        """How far one that was submitted is."""
        return self._get(DeferredPrediction, f"{_PATH}/{prediction}")

    def send_input(self, body: bytes) -> str:
        """Sends the body of a request of its own, where it is not there already; returns its SHA-256."""
        sha256 = hashlib.sha256(body).hexdigest()
        made = self._post(PredictionInput, f"{_PATH}/inputs", PredictionInputCreate(sha256=sha256, num_bytes=len(body)))
        if made.request is not None:
            answer = self._client.http.send_signed(
                made.request.method, made.request.url, content=lambda: body, headers=made.request.headers
            )
            if answer.status_code >= 300 and answer.status_code != _ALREADY_THERE:
                raise ConnectionFailedError(f"S3 answered {answer.status_code} for an input of {len(body):,} bytes.")
        return sha256
