"""Endpoints: deploy and predict."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from aimass.binding import Bound, Pages, to_request
from aimass.errors import WaitTimeoutError
from aimass.resources.endpoint_watches import EndpointWatchesApi
from aimass.resources.predictions import DeferredPrediction
from aimass_core.domain import endpoints as contract
from aimass_core.domain.endpoints import (
    EndpointCreate,
    EndpointEvent,
    EndpointStatus,
    EndpointUpdate,
    Prediction,
    Predictions,
    SettingsRevert,
)
from aimass_core.domain.engines import EngineKind
from aimass_core.domain.predictions import INPUT_HEADER
from aimass_core.domain.rollouts import RolloutPlan
from aimass_core.errors import AlreadyExistsError, UnavailableError

_PATH = "/v1/endpoints"
_ROWS_PER_REQUEST = 1_000
_ROWS_EXPLAINED_PER_REQUEST = 20
_POLL_SECONDS = 0.2
_VERIFY_SECONDS = 120.0
# Machines have to be found, and containers have to start on them.
_HOST_SECONDS = 1_800.0
# Lambda takes 6 MB with all that is around the body, which comes as base64.
_MAX_BODY_BYTES = 4_000_000


@runtime_checkable
class Frame(Protocol):
    """A pandas data frame."""

    @property
    def dtypes(self) -> Any:
        """The type of each column."""

    def copy(self, deep: bool) -> Any:
        """With columns of its own."""

    def to_json(self, *, orient: Any, date_format: Any) -> Any:
        """The table as JSON text."""


Rows = Frame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Endpoint(contract.EndpointDetail, Bound):
    """A served model."""

    def predict(self, rows: Rows, *, explain: bool = False) -> Predictions:
        """Labels and probabilities (or values) for a data frame, one record, or many.

        Columns that the model does not know are ignored; what is missing counts as a missing value. An image is the
        bytes of a PNG or JPEG file, base64 of them, or nested lists of pixel values. To a forecast rows of lists are
        windows, and rows of numbers the steps of one series, the oldest first: then there is one answer.

        Args:
            explain: With what each column contributes to each answer (Shapley values).
        """
        return self._client.endpoints.predict(self.name, rows, explain=explain)

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

    def set(self, **settings: Any) -> Endpoint:
        """Changes live parameters: `set(threshold=0.7, threads=2)`; None brings back a default. They hold within
        seconds, without anything being restarted; see EndpointSettings."""
        return self._client.endpoints.set(self.id, revision=self.revision, **settings)

    def revert(self, *, version: int | None = None) -> Endpoint:
        """Brings back former settings; None: those before the present ones."""
        return self._client.endpoints.revert(self.id, version=version)

    def shift(self, percent: float) -> Endpoint:
        """Gives the version that is rolled out so much of the requests."""
        return self._client.endpoints.shift(self.id, percent)

    def promote(self) -> Endpoint:
        """Ends a rollout: the new version answers everything."""
        return self._client.endpoints.promote(self.id)

    def rollback(self) -> Endpoint:
        """Ends a rollout or an update, else brings back what served before. At once."""
        return self._client.endpoints.rollback(self.id)

    def history(self) -> Pages[EndpointEvent]:
        """What became of it, newest first."""
        return self._client.endpoints.history(self.id)

    def wait_rollout(self, *, timeout_seconds: float = 3_600) -> Endpoint:
        """Waits until the rollout is over.

        Raises:
            UnavailableError: It was rolled back; the message says why.
            WaitTimeoutError: It goes on.
        """
        return self._client.endpoints.wait_rollout(self, timeout_seconds=timeout_seconds)

    @property
    def infer_url(self) -> str:
        """Where the Open Inference Protocol is spoken."""
        return self._client.http.base_url + self.infer_path


class EndpointsApi(EndpointWatchesApi):
    """`client.endpoints`."""

    def deploy(
        self,
        model: str,
        *,
        name: str | None = None,
        rollout: RolloutPlan | Mapping[str, Any] | None = None,
        engine: EngineKind | str | None = None,
        instance_type: str | None = None,
        instances: int | None = None,
        timeout_seconds: float | None = None,
    ) -> Endpoint:
        """Serves `model` or `model@version` under `name` (default: the model's); an existing endpoint is updated.

        Args:
            rollout: How it takes over from what serves: `{"strategy": "canary", "percent": 10, "every_seconds": 60,
                "guards": {"max_error_rate": 0.01}}`. This returns when it has begun; see `Endpoint.wait_rollout`.
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
        if rollout is not None:
            present = self.get(name or model.partition("@")[0])
            return self._update_model(present, model=model, rollout=rollout, **placed, timeout_seconds=timeout_seconds)
        fields = {"model": model, **placed} | ({"name": name} if name else {})
        try:
            endpoint = self._post(Endpoint, _PATH, to_request(EndpointCreate, **fields))
        except AlreadyExistsError:
            present = self.get(name or model.partition("@")[0])
            return self._update_model(present, model=model, **placed, timeout_seconds=timeout_seconds)
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

    def set(self, endpoint: str, *, revision: int | None = None, **settings: Any) -> Endpoint:
        """See Endpoint.set. `revision`: refused where it has changed since."""
        present = revision or self.get(endpoint).revision
        body = to_request(EndpointUpdate, settings=settings)
        return self._patch(Endpoint, f"{_PATH}/{endpoint}", body, revision=present)

    def revert(self, endpoint: str, *, version: int | None = None) -> Endpoint:
        """See Endpoint.revert."""
        body = to_request(SettingsRevert, **({} if version is None else {"version": version}))
        return self._post(Endpoint, f"{_PATH}/{endpoint}/revert", body)

    def shift(self, endpoint: str, percent: float) -> Endpoint:
        """See Endpoint.shift."""
        body = to_request(EndpointUpdate, percent=percent)
        return self._patch(Endpoint, f"{_PATH}/{endpoint}", body, revision=self.get(endpoint).revision)

    def promote(self, endpoint: str) -> Endpoint:
        """See Endpoint.promote."""
        return self._post(Endpoint, f"{_PATH}/{endpoint}/promote")

    def rollback(self, endpoint: str) -> Endpoint:
        """See Endpoint.rollback."""
        return self._post(Endpoint, f"{_PATH}/{endpoint}/rollback")

    def history(self, endpoint: str) -> Pages[EndpointEvent]:
        """See Endpoint.history."""
        return self._list(EndpointEvent, f"{_PATH}/{endpoint}/history")

    def delete(self, endpoint: str) -> None:
        """Ends serving."""
        self._delete(f"{_PATH}/{endpoint}")

    def predict(self, endpoint: str, rows: Rows, *, explain: bool = False) -> Predictions:
        """See Endpoint.predict. Many rows, and large ones, are sent in several requests."""
        size = _ROWS_EXPLAINED_PER_REQUEST if explain else _ROWS_PER_REQUEST
        records = _to_records(rows)
        answers: list[Predictions] = []
        for part in _chunks(records, size):
            sent = [self._send_rows(endpoint, body, {}, explain=explain) for body in _to_bodies(part)]
            answers += [self._read(Predictions, each) for each in sent]
            if len(records) > len(part) > len(sent) == sum(len(each.predictions) for each in answers):
                # They are the steps of one series, of which the last decide.
                return self.predict(endpoint, records[-size:], explain=explain)
        predictions: list[Prediction] = [prediction for answer in answers for prediction in answer.predictions]
        return answers[0].model_copy(update={"predictions": predictions})

    def submit(self, endpoint: str, rows: Rows, *, explain: bool = False) -> DeferredPrediction:
        """Asks about at most 10,000 rows in one request that is answered later: it may take up to 15 minutes."""
        body = _to_body(_to_records(rows))
        answered = self._send_rows(endpoint, body, {"prefer": "respond-async"}, explain=explain)
        return self._read(DeferredPrediction, answered)

    def _send_rows(self, endpoint: str, body: bytes, headers: Mapping[str, str], *, explain: bool) -> Any:
        """A body that Lambda would not take goes to S3 before, and is named."""
        path, params = f"{_PATH}/{endpoint}/predict", {"explain": "true"} if explain else None
        if len(body) <= _MAX_BODY_BYTES:
            return self._client.http.request("POST", path, body=body, params=params, headers=headers)
        named = {INPUT_HEADER: self._client.predictions.send_input(body), "content-type": "application/json"}
        return self._client.http.request("POST", path, params=params, headers={**headers, **named})

    def wait_rollout(self, endpoint: Endpoint, *, timeout_seconds: float = 3_600) -> Endpoint:
        """See Endpoint.wait_rollout."""
        deadline, rollout = time.monotonic() + timeout_seconds, endpoint.rollout
        if rollout is None:
            return endpoint
        while endpoint.rollout is not None and endpoint.rollout.id == rollout.id:
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"The rollout of {endpoint.name} goes on: {endpoint.status_reason}")
            time.sleep(_POLL_SECONDS)
            endpoint = self.get(endpoint.id)
        if endpoint.serving != rollout.model:
            raise UnavailableError(endpoint.status_reason or f"{rollout.model.ref} was rolled back.")
        return endpoint

    def _update_model(self, endpoint: Endpoint, *, timeout_seconds: float | None, **fields: Any) -> Endpoint:
        body = to_request(EndpointUpdate, **fields)
        updated = self._patch(Endpoint, f"{_PATH}/{endpoint.id}", body, revision=endpoint.revision)
        return self._wait(updated, timeout_seconds)

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
        rolling = endpoint.rollout.model if endpoint.rollout else None
        if endpoint.status is EndpointStatus.FAILED or (wanted and wanted not in (endpoint.serving, rolling)):
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
        return _read_frame(rows)
    return list(rows)


def _read_frame(frame: Frame) -> list[Mapping[str, Any]]:
    # NOTE: pandas writes bytes as if they were text.
    texts = frame.copy(deep=False)
    for name, dtype in frame.dtypes.items():
        if str(dtype) == "object":
            texts[name] = texts[name].map(lambda cell: _to_json(cell) if isinstance(cell, bytes) else cell)
    records: list[Mapping[str, Any]] = json.loads(texts.to_json(orient="records", date_format="iso"))
    return records


def _to_body(records: list[Mapping[str, Any]]) -> bytes:
    return json.dumps({"rows": records}, default=_to_json).encode()


def _to_json(value: object) -> str:
    """An image as the API takes it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}, which no row can have")


def _to_bodies(records: list[Mapping[str, Any]]) -> Iterator[bytes]:
    """Halved until each is small enough, or one row."""
    body = _to_body(records)
    if len(body) <= _MAX_BODY_BYTES or len(records) == 1:
        yield body
        return
    middle = len(records) // 2
    yield from _to_bodies(records[:middle])
    yield from _to_bodies(records[middle:])


def _chunks(records: list[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, max(len(records), 1), size):
        yield records[start : start + size]
