"""Endpoints: deploy and predict."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from aimass.binding import Api, Bound, Pages, to_request
from aimass.errors import WaitTimeoutError
from aimass_core.domain import endpoints as contract
from aimass_core.domain.endpoints import EndpointCreate, EndpointStatus, EndpointUpdate, Prediction, Predictions
from aimass_core.domain.engines import EngineKind
from aimass_core.errors import AlreadyExistsError, UnavailableError

_PATH = "/v1/endpoints"
_ROWS_PER_REQUEST = 1_000
_POLL_SECONDS = 0.2
_VERIFY_SECONDS = 120.0
# Machines have to be found, and containers have to start on them.
_HOST_SECONDS = 1_800.0


@runtime_checkable
class Frame(Protocol):
    """A table with pandas' to_json."""

    def to_json(self, *, orient: Any, date_format: Any) -> Any:
        """The table as JSON text."""


Rows = Frame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Endpoint(contract.EndpointDetail, Bound):
    """A served model."""

    def predict(self, rows: Rows) -> Predictions:
        """Labels and probabilities (or values) for a data frame, one record, or many.

        Columns that the model does not know are ignored; what is missing counts as a missing value.
        """
        return self._client.endpoints.predict(self.name, rows)

    def update(self, *, weights: Mapping[str, float] | None) -> Endpoint:
        """Lets the members of a fusion that is served apart count otherwise, within seconds.

        Args:
            weights: One for each member, by its name: `adult@1`. None: as they were fitted.
        """
        return self._client.endpoints.update(self.id, weights=weights, revision=self.revision)

    def move(
        self, engine: EngineKind | str, *, instance_type: str | None = None, instances: int | None = None
    ) -> Endpoint:
        """Lets another engine answer, without a request that fails; see EndpointsApi.deploy."""
        return self._client.endpoints.move(
            self.id, engine, instance_type=instance_type, instances=instances, revision=self.revision
        )

    @property
    def infer_url(self) -> str:
        """Where the Open Inference Protocol is spoken."""
        return self._client.http.base_url + self.infer_path


class EndpointsApi(Api):
    """`client.endpoints`."""

    def deploy(
        self,
        model: str,
        *,
        name: str | None = None,
        engine: EngineKind | str | None = None,
        instance_type: str | None = None,
        instances: int | None = None,
        timeout_seconds: float | None = None,
    ) -> Endpoint:
        """Serves `model` or `model@version` under `name` (default: the model's); an existing endpoint is updated.

        Args:
            engine: `lambda` (nothing is paid while nobody asks), `container` (machines that are there all the time),
                `distributed` (each member of a fusion for itself). None: as the endpoint has it, at first lambda.
            instance_type: Of the machines, such as ml.c5.large.
            instances: How many of them.
            timeout_seconds: None: 2 minutes, and half an hour where machines are needed.

        Raises:
            UnavailableError: The golden request did not give the golden answer; the message says how. An endpoint
                that served before keeps serving what it did.
        """
        placed = _to_engine(engine, instance_type, instances)
        fields = {"model": model, **placed} | ({"name": name} if name else {})
        try:
            endpoint = self._post(Endpoint, _PATH, to_request(EndpointCreate, **fields))
        except AlreadyExistsError:
            present = self.get(name or model.partition("@")[0])
            endpoint = self._patch(
                Endpoint,
                f"{_PATH}/{present.id}",
                to_request(EndpointUpdate, model=model, **placed),
                revision=present.revision,
            )
        return self._wait(endpoint, timeout_seconds)

    def list(self) -> Pages[Endpoint]:
        """All of the workspace, newest first."""
        return self._list(Endpoint, _PATH)

    def get(self, endpoint: str) -> Endpoint:
        """By name or id."""
        return self._get(Endpoint, f"{_PATH}/{endpoint}")

    def update(self, endpoint: str, *, weights: Mapping[str, float] | None, revision: int | None = None) -> Endpoint:
        """See Endpoint.update. `revision`: refused where it has changed since."""
        present = revision or self.get(endpoint).revision
        body = to_request(EndpointUpdate, weights=None if weights is None else dict(weights))
        return self._patch(Endpoint, f"{_PATH}/{endpoint}", body, revision=present)

    def move(
        self,
        endpoint: str,
        engine: EngineKind | str,
        *,
        instance_type: str | None = None,
        instances: int | None = None,
        revision: int | None = None,
        timeout_seconds: float | None = None,
    ) -> Endpoint:
        """See Endpoint.move."""
        present = revision or self.get(endpoint).revision
        body = to_request(EndpointUpdate, **_to_engine(engine, instance_type, instances))
        moved = self._patch(Endpoint, f"{_PATH}/{endpoint}", body, revision=present)
        return self._wait(moved, timeout_seconds)

    def delete(self, endpoint: str) -> None:
        """Ends serving."""
        self._delete(f"{_PATH}/{endpoint}")

    def predict(self, endpoint: str, rows: Rows) -> Predictions:
        """See Endpoint.predict. Many rows are sent in several requests."""
        answers = [
            self._read(
                Predictions, self._client.http.request("POST", f"{_PATH}/{endpoint}/predict", body={"rows": part})
            )
            for part in _chunks(_to_records(rows))
        ]
        predictions: list[Prediction] = [prediction for answer in answers for prediction in answer.predictions]
        return answers[0].model_copy(update={"predictions": predictions})

    def _wait(self, endpoint: Endpoint, timeout_seconds: float | None) -> Endpoint:
        wanted = endpoint.candidate
        if timeout_seconds is None:
            timeout_seconds = _HOST_SECONDS if wanted and wanted.engine.machines else _VERIFY_SECONDS
        deadline = time.monotonic() + timeout_seconds
        while endpoint.status in (EndpointStatus.CREATING, EndpointStatus.UPDATING):
            if time.monotonic() > deadline:
                raise WaitTimeoutError(
                    f"Endpoint {endpoint.name} is still {endpoint.status} after {timeout_seconds:g} s."
                )
            time.sleep(_POLL_SECONDS)
            endpoint = self.get(endpoint.id)
        if endpoint.status is EndpointStatus.FAILED or (wanted and endpoint.serving != wanted):
            raise UnavailableError(f"Endpoint {endpoint.name} was not changed: {endpoint.status_reason}")
        return endpoint


def _to_engine(
    kind: EngineKind | str | None, instance_type: str | None, instances: int | None
) -> dict[str, dict[str, Any]]:
    """The field of a request; none where nothing is said."""
    given = {"kind": kind, "instance_type": instance_type, "instances": instances}
    engine = {name: value for name, value in given.items() if value is not None}
    return {"engine": engine} if engine else {}


def _to_records(rows: Rows) -> list[Mapping[str, Any]]:
    if isinstance(rows, Mapping):
        return [rows]
    if isinstance(rows, Frame):
        records: list[Mapping[str, Any]] = json.loads(rows.to_json(orient="records", date_format="iso"))
        return records
    return list(rows)


def _chunks(records: list[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, max(len(records), 1), _ROWS_PER_REQUEST):
        yield records[start : start + _ROWS_PER_REQUEST]
