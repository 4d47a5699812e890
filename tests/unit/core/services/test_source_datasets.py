"""Which datasets a source fills, and what was made of them."""

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.sources import SourceRecord
from aimass_core.errors import ConflictError
from aimass_core.services import datasets, jobs, records, source_datasets, sources
from tests.factories.platform import LIMITS, add_version, make_model, new_principal
from tests.factories.sources import add_source


@pytest.fixture
def owner() -> Principal:
    return new_principal()


def _record(ports: MemoryPorts, owner: Principal, name: str, **policy: object) -> SourceRecord:
    source = add_source(ports, owner, name, **policy)
    return records.get(ports, SourceRecord, owner.workspace_id, source.id)


@pytest.mark.parametrize(
    ("stream", "dataset"),
    [
        ("shop", "shop"),
        ("Line Items!", "shop-line-items"),
        ("public.orders", "shop-public-orders"),
        ("Ünïcode", "shop-n-code"),
        ("x" * 100, "shop-" + "x" * 58),
        ("renamed", "sales"),
    ],
)
def test_stream_names_its_dataset(ports: MemoryPorts, owner: Principal, stream: str, dataset: str) -> None:
    record = _record(ports, owner, "shop", streams={"renamed": {"dataset": "sales"}})
    made = source_datasets.ensure(ports, record, stream)
    assert (made.name, made.source_id) == (dataset, record.id)
    assert source_datasets.ensure(ports, record, stream) == made
    assert [each.stream for each in source_datasets.list_page(ports, owner, "shop", limit=10)[0]] == [stream]


def test_two_sources_never_fill_one_dataset(ports: MemoryPorts, owner: Principal) -> None:
    source_datasets.ensure(ports, _record(ports, owner, "shop"), "orders")
    other = _record(ports, owner, "second", streams={"orders": {"dataset": "shop-orders"}})
    with pytest.raises(ConflictError, match=r"policy.streams.orders.dataset"):
        source_datasets.ensure(ports, other, "orders")


def test_lineage_leads_from_a_source_to_its_models(ports: MemoryPorts, owner: Principal) -> None:
    record = _record(ports, owner, "shop", streams={"orders": {"dataset": "adult"}})
    dataset = source_datasets.ensure(ports, record, "orders")
    add_version(ports, owner, dataset)
    assert source_datasets.lineage(ports, owner, "adult").models == []
    job = make_model(ports, owner)
    found = source_datasets.lineage(ports, owner, "adult")
    assert (found.source_name, found.streams) == ("shop", ["orders"])
    assert [(model.model_name, model.number, model.job_id, model.dataset_versions) for model in found.models] == [
        ("adult", 1, job.id, {"train": 1})
    ]
    of_source = source_datasets.source_lineage(ports, owner, "shop")
    assert of_source.datasets == [found]
    sources.delete(ports, owner, "shop")
    after = source_datasets.lineage(ports, owner, "adult")
    assert (after.source_id, after.source_name, len(after.models)) == (record.id, None, 1)


def test_dataset_of_nobodys_source_has_no_source(ports: MemoryPorts, owner: Principal) -> None:
    datasets.ensure(ports, owner, "plain")
    found = source_datasets.lineage(ports, owner, "plain")
    assert (found.source_id, found.streams, found.models) == (None, [], [])


def test_lineage_leads_through_what_was_prepared_of_a_dataset(ports: MemoryPorts, owner: Principal) -> None:
    record = _record(ports, owner, "shop", streams={"orders": {"dataset": "orders"}})
    orders = source_datasets.ensure(ports, record, "orders")
    own = datasets.ensure(ports, owner, "own")
    for dataset in (orders, own):
        add_version(ports, owner, dataset)
    middle = _prepare(
        ports, owner, own, {"do": "join", "dataset": "orders", "keys": ["age"], "prefix": "o_"}, output="joined"
    )
    appended = add_version(ports, owner, middle)
    records.save(ports, appended, middle.id, 2, base_number=1)
    _prepare(ports, owner, middle, {"do": "trim"}, output="adult")
    make_model(ports, owner)
    models = source_datasets.lineage(ports, owner, "orders").models
    assert [(model.model_name, model.dataset_versions, model.through) for model in models] == [
        ("adult", {"train": 1}, ["adult@1", "joined@2"])
    ]
    assert source_datasets.source_lineage(ports, owner, "shop").datasets[0].models == models
    assert source_datasets.lineage(ports, owner, "own").models[0].through == ["adult@1", "joined@2"]


def _prepare(
    ports: MemoryPorts, owner: Principal, dataset: Dataset, step: dict[str, object], *, output: str
) -> Dataset:
    """A version of another dataset that a job makes by one step."""
    spec = {"kind": "prepare", "dataset": dataset.name, "recipe": {"steps": [step]}, "output": output}
    job = jobs.create(ports, owner, JobCreate.model_validate({"spec": spec}), limits=LIMITS)
    made = datasets.ensure(ports, owner, output)
    records.save(ports, add_version(ports, owner, made), made.id, 1, job_id=job.id)
    return datasets.get(ports, owner, output)
