"""Models that are trained again without some of their data, over the real handlers; jobs that prepare data run in
tests/e2e."""

from typing import Any

import pytest

import aimass
from aimass_core.domain.datasets import Dataset, DatasetVersion
from aimass_core.domain.sources import SourceCreate, SourceRecord
from aimass_core.errors import InvalidRequestError
from aimass_core.services import datasets, records, source_datasets, sources
from tests.factories.platform import add_dataset, add_version
from tests.functional.gateway import Api
from tests.functional.test_jobs import owner_of, run_to_end
from tests.functional.transport import InProcessTransport


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> aimass.Client:
    return aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")


def add(api: Api, name: str, *, source: str | None = None) -> None:
    """A dataset with a version, which a source fills where one is named."""
    owner = owner_of(api)
    dataset = add_dataset(api.ports, owner, name=name)
    if source is not None:
        request = SourceCreate.model_validate({"name": source, "collector": {"type": "webhook"}})
        source_id = sources.create(api.ports, owner, request).id
        dataset = records.save(api.ports, dataset, source_id=source_id)
    assert isinstance(dataset, Dataset)
    add_version(api.ports, owner, dataset)


def train(api: Api, **spec: Any) -> dict[str, Any]:
    made = api.post("/v1/jobs", {"spec": {"algorithm": "xgboost", "model": "loans", **spec}})
    assert made.status == 202, made.text
    return run_to_end(api, made.json)


def test_what_a_source_fills_goes_as_a_whole(api: Api, client: aimass.Client) -> None:
    add(api, "own")
    add(api, "bought", source="broker")
    former = train(api, dataset="own", validation="bought", hyperparameters={"max_depth": 3})
    job = client.models.retrain("loans", without_source="broker")
    assert list(job.channels) == ["train"]
    spec = job.spec.model_dump(mode="json")
    assert (spec["dataset"], spec["validation"], spec["model"]) == ("own@1", None, "loans")
    assert spec["hyperparameters"] == former["spec"]["hyperparameters"]
    assert spec["target"] == former["spec"]["target"]


def test_without_its_data_nothing_is_learned_and_what_is_not_there_cannot_go(api: Api, client: aimass.Client) -> None:
    add(api, "own")
    add(api, "bought", source="broker")
    train(api, dataset="bought", test="own")
    num_jobs = len(list(client.jobs.list()))
    with pytest.raises(InvalidRequestError, match="nothing is left to learn from"):
        client.models.retrain("loans@1", without_source="broker")
    add(api, "other", source="elsewhere")
    with pytest.raises(InvalidRequestError, match="did not come from the source 'elsewhere'"):
        client.models.retrain("loans@1", without_source="elsewhere")
    for source, rows in ((None, None), ("broker", "age > 3")):
        with pytest.raises(InvalidRequestError, match="either without_source or without_rows"):
            client.models.retrain("loans@1", without_source=source, without_rows=rows)
    assert len(list(client.jobs.list())) == num_jobs


def test_data_that_recipes_made_of_what_recipes_made_are_told_of(api: Api, client: aimass.Client) -> None:
    add(api, "own")
    request = SourceCreate.model_validate({"name": "broker", "collector": {"type": "webhook"}})
    source = sources.create(api.ports, owner_of(api), request)
    record = records.get(api.ports, SourceRecord, source.workspace_id, source.id)
    add_version(api.ports, owner_of(api), source_datasets.ensure(api.ports, record, "broker"))
    for name, dataset, step in (
        ("joined", "own", {"do": "join", "dataset": "broker", "keys": ["age"], "prefix": "b_"}),
        ("clean", "joined", {"do": "trim"}),
    ):
        spec = {"kind": "prepare", "dataset": dataset, "output": name, "recipe": {"steps": [step]}}
        job_id = api.post("/v1/jobs", {"spec": spec}).json["id"]
        add(api, name)
        made = datasets.get(api.ports, owner_of(api), name)
        version = records.get(api.ports, DatasetVersion, made.workspace_id, made.id, 1)
        records.save(api.ports, version, made.id, 1, job_id=job_id)
    train(api, dataset="clean")
    with pytest.raises(InvalidRequestError, match="through clean@1, joined@1, which were made of each other"):
        client.models.retrain("loans@1", without_source="broker")
