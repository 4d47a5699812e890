"""One endpoint on one engine after the other: the same answers at the same address, and no request that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import aimass
from tests.stack import Stack, wait_until

ROWS = [{"income": 41_000.0, "age": 33, "region": "north"}, {"income": 20_000.0, "age": 22, "region": "east"}]


@contextmanager
def asking(stack: Stack, endpoint: str) -> Iterator[list[str]]:
    """Asks again and again, as others do; what went wrong."""
    faults: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with stack.client() as client:
            while not stop.is_set():
                try:
                    client.endpoints.predict(endpoint, ROWS)
                except aimass.AimassError as error:
                    faults.append(repr(error))
                stop.wait(0.05)  # leaves the machine to the containers that start

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield faults
    finally:
        stop.set()
        thread.join()


def test_an_endpoint_moves_to_containers_and_back(
    stack: Stack, client: aimass.Client, loans: tuple[Path, Path]
) -> None:
    dataset = client.datasets.upload(loans[0], name="moved", target="repaid")
    client.jobs.train(dataset, algorithm="xgboost", hyperparameters={"num_rounds": 20}).wait()
    endpoint = client.endpoints.deploy("moved", name="moved")
    before = endpoint.predict(ROWS).predictions
    sagemaker = stack.aws("sagemaker")
    with asking(stack, "moved") as faults:
        words = stack.cli("endpoints", "update", "moved", "--engine", "container", "--instance-type", "ml.c5.large")
        assert "container, 1 x ml.c5.large" in words
        moved = client.endpoints.get("moved")
        assert moved.serving is not None
        host = sagemaker.describe_endpoint(EndpointName=moved.serving.host)
        assert host["EndpointStatus"] == "InService"
        there = moved.predict(ROWS).predictions
        assert [p.label for p in there] == [p.label for p in before]
        for mine, other in zip(there, before, strict=True):
            assert mine.probability == pytest.approx(other.probability, abs=1e-6)
        back = moved.move("lambda")
        assert back.serving is not None
        assert back.serving.host is None
        assert back.predict(ROWS).predictions == before
    assert faults == []
    client.endpoints.delete("moved")
    stack.aws("lambda").invoke(FunctionName="aimass-reconciler", Payload=b"{}")
    wait_until(lambda: sagemaker.list_endpoints(NameContains=moved.serving.host)["Endpoints"] == [])
