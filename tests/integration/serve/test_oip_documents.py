"""The container, held against MLServer's documents of the Open Inference Protocol."""

from pathlib import Path

import pytest

from tests.integration.serve.server import serving
from tests.oip.documents import DOCUMENTS, find_faults
from tests.unit.batch_jobs.serve.bench import AGE, CITY, put_model


@pytest.mark.parametrize("document", DOCUMENTS)
def test_container_answers_as_mlserver_documents_it(document: str, tmp_path: Path) -> None:
    put_model(tmp_path)
    with serving(tmp_path / "models", "--workers", "1") as server:
        faults = find_faults(document, base_url=server.url, folder=tmp_path, model="adult", inputs=[AGE, CITY])
    assert not faults, faults
