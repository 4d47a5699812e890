"""The predictions function, held against MLServer's documents of the Open Inference Protocol."""

from pathlib import Path

import pytest

from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from functions.predictions.app import make_handler
from tests.factories.served_models import deploy
from tests.functional.gateway import Api
from tests.functional.wsgi import serving
from tests.oip.documents import DOCUMENTS, find_faults
from tests.unit.batch_jobs.serve.bench import AGE, CITY


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_function_answers_as_mlserver_documents_it(document: str, api: Api, tmp_path: Path) -> None:
    endpoints = ServingEndpoints(api.ports, ModelStore(api.ports, tmp_path), endpoint_ttl_seconds=2.0)
    api.gateway.predictions = make_handler(lambda: endpoints)
    deploy(api.ports, api.workspace.id)
    headers = (f"Authorization: Bearer {api.token}",)
    with serving(api.gateway) as base_url:
        faults = find_faults(
            document, base_url=base_url, folder=tmp_path, model="adult", inputs=[AGE, CITY], headers=headers
        )
    assert not faults, faults
