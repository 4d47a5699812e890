"""Queries: bound to the workspace, held to their limits, followed to their end."""

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryQueryEngine
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.queries import Query, QueryCreate, QueryStatus
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError, QuotaExceededError
from aimass_core.services import queries, reconciler
from tests.factories.platform import ManualClock, add_dataset, add_version, new_ports, new_principal

COUNT = "select count(*) from adult"


@pytest.fixture
def engine() -> MemoryQueryEngine:
    return MemoryQueryEngine()


@pytest.fixture
def ports(clock: ManualClock, engine: MemoryQueryEngine) -> MemoryPorts:
    made = new_ports(clock)
    made.query_engine = engine
    return made


def start(
    ports: MemoryPorts, principal: Principal, sql: str = COUNT, *, dataset: str | None = None, **limits: int
) -> Query:
    return queries.create(ports, principal, QueryCreate(sql=sql, **limits), dataset=dataset)


def test_a_query_reads_the_callers_own_tables(
    ports: MemoryPorts, principal: Principal, engine: MemoryQueryEngine
) -> None:
    query = start(ports, principal)
    assert (query.status, query.datasets) == (QueryStatus.RUNNING, ["adult@1"])
    assert f'FROM "aimass_{principal.workspace_id}"."adult_v1"' in engine.queries[query.execution_id]
    assert query.execution_id.startswith(f"aimass_{principal.workspace_id}")
    with pytest.raises(NotFoundError):
        start(ports, new_principal())
    with pytest.raises(NotFoundError):
        queries.get(ports, new_principal(), query.id)


def test_the_latest_version_is_meant_unless_one_is_named(ports: MemoryPorts, principal: Principal) -> None:
    dataset = add_dataset(ports, principal, name="grows")
    with pytest.raises(ConflictError, match="no version that is READY"):
        start(ports, principal, "select 1 from grows")
    add_version(ports, principal, dataset)
    add_version(ports, principal, dataset)
    add_version(ports, principal, dataset, status=DatasetVersionStatus.REJECTED)
    assert start(ports, principal, "select 1 from grows").datasets == ["grows@2"]
    assert start(ports, principal, 'select 1 from "grows@1"').datasets == ["grows@1"]
    with pytest.raises(ConflictError, match="grows@3 is REJECTED"):
        start(ports, principal, 'select 1 from "grows@3"')
    with pytest.raises(NotFoundError, match="no dataset version grows@4 in this workspace; the latest is 2"):
        start(ports, principal, 'select 1 from "grows@4"')


def test_a_query_of_one_dataset_reads_no_other(ports: MemoryPorts, principal: Principal) -> None:
    add_version(ports, principal, add_dataset(ports, principal, name="other"))
    assert start(ports, principal, "select * from data", dataset="adult").datasets == ["adult@1"]
    assert start(ports, principal, 'select * from "data@1", adult', dataset="adult").datasets == ["adult@1"]
    with pytest.raises(InvalidRequestError, match="'adult' alone"):
        start(ports, principal, "select * from other", dataset="adult")


def test_an_end_is_kept_with_what_it_cost(ports: MemoryPorts, principal: Principal, engine: MemoryQueryEngine) -> None:
    query = start(ports, principal)
    assert queries.get(ports, principal, query.id) == query
    with pytest.raises(ConflictError, match="It is RUNNING"):
        queries.load_rows(ports, principal, query.id, limit=10, start=None)
    engine.rows = [["7"], [None]]
    engine.set_state(query.execution_id, QueryStatus.SUCCEEDED, scanned_bytes=1024**4)
    ended = queries.get(ports, principal, query.id)
    assert (ended.status, ended.scanned_bytes, ended.cost_usd) == (QueryStatus.SUCCEEDED, 1024**4, 5.0)
    rows, _ = queries.load_rows(ports, principal, query.id, limit=10, start=None)
    assert rows.rows == [[7], [None]]
    del engine.executions[query.execution_id]
    assert queries.get(ports, principal, query.id) == ended, "the engine is asked no more"
    row = ports.registry.get(keys.row(principal.workspace_id, "query", query.id))
    assert row is not None
    assert row.expires_at == query.forgotten_at


def test_a_failure_says_what_the_engine_says(
    ports: MemoryPorts, principal: Principal, engine: MemoryQueryEngine
) -> None:
    query = start(ports, principal)
    engine.set_state(query.execution_id, QueryStatus.FAILED, reason="COLUMN_NOT_FOUND: line 1:8")
    assert queries.get(ports, principal, query.id).status_reason == "COLUMN_NOT_FOUND: line 1:8"
    with pytest.raises(ConflictError, match="COLUMN_NOT_FOUND"):
        queries.load_rows(ports, principal, query.id, limit=10, start=None)


def test_limits_end_a_query_that_nobody_looks_at(
    ports: MemoryPorts, principal: Principal, engine: MemoryQueryEngine, clock: ManualClock
) -> None:
    slow = start(ports, principal, max_seconds=60)
    greedy = start(ports, principal, max_bytes=10 * 1024**2)
    fine = start(ports, principal)
    engine.set_state(greedy.execution_id, QueryStatus.RUNNING, scanned_bytes=11 * 1024**2)
    clock.advance(90)
    assert reconciler.run(ports).queries == 2
    for query, words in ((slow, "max_seconds is 60"), (greedy, "max_bytes is 10,485,760")):
        ended = queries.get(ports, principal, query.id)
        assert ended.status is QueryStatus.FAILED
        assert words in str(ended.status_reason)
        assert engine.executions[query.execution_id].status is QueryStatus.STOPPED
    assert queries.get(ports, principal, fine.id).status is QueryStatus.RUNNING


def test_a_workspace_has_so_many_queries_and_others_are_not_held_up(
    ports: MemoryPorts, principal: Principal, engine: MemoryQueryEngine
) -> None:
    first, *_ = [start(ports, principal) for _ in range(3)]
    with pytest.raises(QuotaExceededError, match="at most 3") as caught:
        start(ports, principal)
    assert caught.value.retry_after_seconds
    other = new_principal()
    add_version(ports, other, add_dataset(ports, other))
    assert start(ports, other).status is QueryStatus.RUNNING
    engine.set_state(first.execution_id, QueryStatus.SUCCEEDED)
    assert start(ports, principal).status is QueryStatus.RUNNING


def test_a_stopped_query_stays_stopped(ports: MemoryPorts, principal: Principal) -> None:
    query = start(ports, principal)
    assert queries.stop(ports, principal, query.id).status is QueryStatus.STOPPED
    assert queries.stop(ports, principal, query.id).status is QueryStatus.STOPPED
