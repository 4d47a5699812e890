"""AWS clients of the local cloud."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass_local.clients import build_client


def test_clients_ignore_the_developers_configuration_in_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "real-account")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://real.example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with ThreadPoolExecutor(max_workers=8) as pool:
        clients = list(pool.map(lambda _: build_client("sqs", port=5000), range(16)))
    assert {client.meta.endpoint_url for client in clients} == {"http://127.0.0.1:5000"}
    assert {client.meta.region_name for client in clients} == {"us-east-1"}
