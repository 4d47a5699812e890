"""Runs of a source: what becomes of its records, and where the next run goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.collector_messages import Record, State, StreamSchema
from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.sources import Cursor, SourceStatus
from aimass_core.errors import ConflictError, InvalidDataError, InvalidRequestError
from aimass_core.services import quarantine, source_health
from aimass_core.services.ingest.conversion import LocalFile
from batch_jobs.collect.errors import ContractBrokenError, TooMuchError
from batch_jobs.collect.reading import WholeFile
from tests.unit.batch_jobs.collect.scene import SourceScene, rows_of

MakeScene = Callable[..., SourceScene]
BY_ID = {"cursor": {"path": "id"}}


@pytest.fixture
def make(tmp_path: Path) -> MakeScene:
    return lambda **policy: SourceScene(tmp_path, **policy)


def orders(*ids: int, **fields: Any) -> list[Any]:
    return rows_of("orders", [{"id": number, **fields} for number in ids])


def test_streams_become_datasets_and_a_run_with_nothing_new_makes_no_version(make: MakeScene) -> None:
    scene = make(**BY_ID)
    items = [*orders(1, 2, user={"name": "Ann"}), *rows_of("shop", [{"id": 1}])]
    metrics = scene.run(items)
    assert (metrics["num_rows"], metrics["num_streams"]) == (3.0, 2.0)
    assert scene.data("shop-orders") == [{"id": 1, "user.name": "Ann"}, {"id": 2, "user.name": "Ann"}]
    assert scene.data("shop") == [{"id": 1}]
    assert scene.dataset_named("shop-orders").source_id == scene.source_id
    assert scene.state.streams == {"orders": {"cursor": 2}, "shop": {"cursor": 1}}
    scene.run(items)
    assert scene.last("shop-orders").number == 1


def whole_files(folder: Path, *names: str) -> list[WholeFile]:
    """Each holds two rows, the ids of which begin with its number in the alphabet."""
    found = []
    for name in names:
        path = folder / f"{name}.csv"
        path.write_text("id\n" + "".join(f"{10 * (ord(name) - 96) + row}\n" for row in range(2)))
        found.append(
            WholeFile(stream="orders", file=LocalFile(path=path, display_name=path.name), name=name, change="1")
        )
    return found


@pytest.mark.parametrize("rules", [{}, {"allowed_fields": ["id"]}])
def test_rows_of_whole_files_are_counted(make: MakeScene, tmp_path: Path, rules: dict[str, Any]) -> None:
    scene = make(**rules)
    runs = [scene.run(whole_files(tmp_path, *names)) for names in (("a", "b"), ("c",))]
    assert [metrics["num_rows"] for metrics in runs] == [4.0, 2.0]
    assert [row["id"] for row in scene.data("shop-orders")] == [10, 11, 20, 21, 30, 31]


def test_a_quota_of_rows_ends_a_run_between_files(make: MakeScene, tmp_path: Path) -> None:
    scene = make(max_rows_per_run=3)
    metrics = scene.run(whole_files(tmp_path, "a", "b", "c"))
    assert metrics["num_rows"] == 4.0
    assert "3 rows are what this run may read, and there is more" in scene.reports.messages[-1]
    scene.run(whole_files(tmp_path, "c"))
    assert [row["id"] for row in scene.data("shop-orders")] == [10, 11, 20, 21, 30, 31]
    scene.change(max_rows_per_run=1, mode="replace")
    with pytest.raises(TooMuchError, match="wanted as a whole"):
        scene.run(whole_files(tmp_path, "a", "b"))


def test_only_what_is_new_by_the_cursor_is_added(make: MakeScene) -> None:
    scene = make(**BY_ID)
    scene.run(orders(3, 1))
    scene.run(orders(1, 3, 4, 2))
    assert [row["id"] for row in scene.data("shop-orders")] == [3, 1, 4]


def test_b2_a_crash_after_the_data_is_durable_doubles_nothing(make: MakeScene) -> None:
    scene = make()
    job = scene.begin()
    scene.run([*orders(1), *rows_of("items", [{"n": 1}])], job=job)
    # The container was killed before it could say so: the second attempt reads the source again.
    metrics = scene.run([*orders(1), *rows_of("items", [{"n": 1}])], job=job)
    assert metrics["num_streams"] == 0
    assert (len(scene.data("shop-orders")), scene.last("shop-orders").number) == (1, 1)
    assert "was made by a former attempt" in scene.reports.messages[-1]


def test_b2_a_crash_between_two_streams_is_finished_by_the_next_attempt(make: MakeScene) -> None:
    scene = make(**BY_ID)
    job = scene.begin()
    items = [*orders(1, 2), *rows_of("items", [{"id": 7}])]
    scene.reports.killed_at = ("delivering", "items")
    with pytest.raises(KeyboardInterrupt):
        scene.run(items, job=job)
    scene.reports.killed_at = None
    assert scene.state.streams == {"orders": {"cursor": 2}}
    scene.run(items, job=job)
    assert scene.state.streams == {"orders": {"cursor": 2}, "items": {"cursor": 7}}
    assert [len(scene.data(name)) for name in ("shop-orders", "shop-items")] == [2, 1]


def test_b3_the_cursor_does_not_move_where_the_data_is_refused(make: MakeScene) -> None:
    scene = make(**BY_ID)
    scene.run(orders(*range(10)))
    with pytest.raises(InvalidDataError, match=r"1 of 1 streams were refused.*All 2 rows"):
        scene.run(rows_of("orders", [{"id": "x"}, {"id": "y"}]))
    assert scene.state.streams == {"orders": {"cursor": 9}}
    assert scene.dataset_named("shop-orders").latest_version == 1
    assert source_health.load(scene.ports, scene.record).status is SourceStatus.DEGRADED


def test_b3_a_run_that_was_given_up_writes_nothing(make: MakeScene) -> None:
    scene = make()
    late = scene.begin()
    scene.end(late)
    scene.run(orders(1))
    with pytest.raises(ConflictError, match="Another run of the source 'shop' has begun"):
        scene.run(orders(1), job=late)
    assert len(scene.data("shop-orders")) == 1


def test_b5_drifted_rows_go_to_quarantine_and_the_last_good_version_stays(make: MakeScene) -> None:
    scene = make()
    scene.run(orders(*range(100), price=1.5))
    scene.run([*orders(*range(100), price=2.5), *orders(100, price="n/a")])
    version = scene.last("shop-orders")
    assert (version.num_rows, version.num_quarantined) == (200, 1)
    rows, _ = quarantine.list_rows(scene.ports, scene.principal, "shop-orders", 2, limit=10)
    assert [(row.column, row.text) for row in rows] == [("price", '{"id":100,"price":"n/a"}')]
    assert "'n/a' is not of the type number" in rows[0].reason
    with pytest.raises(InvalidDataError, match="more than the 5%"):
        scene.run(orders(*range(20), price="high") + orders(1, price=1))
    dataset = scene.dataset_named("shop-orders")
    assert (dataset.latest_version, dataset.last_number) == (2, 3)
    assert scene.last("shop-orders").status is DatasetVersionStatus.REJECTED


def test_b5_new_columns_come_in_and_gone_ones_are_told(make: MakeScene) -> None:
    scene = make()
    scene.run(orders(1, colour="red"))
    scene.run(orders(2, size=3))
    assert scene.data("shop-orders")[1] == {"id": 2, "colour": None, "size": 3}
    assert "no record had the columns ['colour']" in scene.reports.messages[-1]


@pytest.mark.parametrize(
    ("contract", "expected"),
    [
        ({"columns": "discard_value"}, [{"id": 1}, {"id": 2}]),
        ({"columns": "discard_row"}, [{"id": 1}]),
        ({"columns": "evolve"}, [{"id": 1, "new": None}, {"id": 2, "new": "x"}]),
    ],
)
def test_a_contract_on_columns(make: MakeScene, contract: dict[str, str], expected: list[Any]) -> None:
    scene = make(contract=contract)
    scene.allow_bad_rows("shop-orders")
    scene.run(orders(1))
    try:
        scene.run(orders(2, new="x"))
    except InvalidDataError as error:
        assert "All 1 rows were refused" in error.message  # noqa: PT017 - one of three ways
    assert scene.data("shop-orders") == expected


@pytest.mark.parametrize(
    ("contract", "row"),
    [
        ({"columns": "freeze"}, {"id": 2, "new": 1}),
        ({"types": "freeze"}, {"id": "x"}),
        ({"columns": "freeze"}, {"n": 1}),
    ],
)
def test_a_frozen_contract_stops_the_run(make: MakeScene, contract: dict[str, str], row: dict[str, Any]) -> None:
    scene = make(contract=contract)
    scene.run(orders(1))
    with pytest.raises(ContractBrokenError, match="breaks its contract"):
        scene.run(rows_of("orders", [row]))
    assert scene.last("shop-orders").number == 1


def test_types_may_evolve_or_values_be_left_out(make: MakeScene) -> None:
    scene = make(contract={"types": "discard_value"})
    scene.run(orders(1, n=1))
    scene.run(orders(2, n="x"))
    assert [row["n"] for row in scene.data("shop-orders")] == [1, None]
    assert "1 values were left out, as the contract says, in column 'n'" in scene.reports.messages[-1]
    scene.change(contract={"types": "evolve"})
    scene.run(orders(3, n="y"))
    assert [row["n"] for row in scene.data("shop-orders")] == ["1", None, "y"]


def test_streams_that_the_contract_does_not_know(make: MakeScene) -> None:
    scene = make(contract={"streams": "discard_row"})
    scene.run(orders(1))
    scene.run([*orders(2), *rows_of("new", [{"id": 1}])])
    assert "the stream is new and was left out" in scene.reports.messages[-1]
    scene.change(contract={"streams": "freeze"})
    with pytest.raises(ContractBrokenError, match="The stream 'new' is new"):
        scene.run(rows_of("new", [{"id": 1}]))


@pytest.mark.parametrize("what", ["null", "reject", "stop"])
def test_what_a_violation_does(make: MakeScene, what: str) -> None:
    scene = make(on_violation=what)
    scene.run(orders(1))
    rows = rows_of("orders", [{"id": 2}, {"id": "x"}])
    if what == "null":
        scene.run(rows)
        assert [row["id"] for row in scene.data("shop-orders")] == [1, 2, None]
        return
    with pytest.raises(ContractBrokenError if what == "stop" else InvalidDataError):
        scene.run(rows)
    assert [row["id"] for row in scene.data("shop-orders")] == [1]


def test_merge_replace_and_history(make: MakeScene) -> None:
    scene = make(
        mode="merge",
        primary_key=["id"],
        streams={"all": {"mode": "replace", "primary_key": ["n"]}, "past": {"mode": "history"}},
    )

    def items(n: int) -> list[Any]:
        return [*orders(1, n=n), *rows_of("all", [{"n": n}]), *rows_of("past", [{"id": 1, "n": n}])]

    for n in (1, 2):
        scene.run(items(n))
    assert scene.data("shop-orders") == [{"id": 1, "n": 2}]
    assert scene.data("shop-all") == [{"n": 2}]
    past = scene.data("shop-past")
    assert [(row["n"], row["_valid_to"] is None) for row in past] == [(1, False), (2, True)]


def test_a_row_without_its_primary_key_is_kept_apart(make: MakeScene) -> None:
    scene = make(mode="merge", primary_key=["id"])
    scene.allow_bad_rows("shop-orders")
    scene.run([*orders(1), Record("orders", {"n": 1})])
    assert scene.last("shop-orders").issues[0].reason == "The primary key has no value."


def test_rows_that_come_again_by_a_lag_are_not_doubled(make: MakeScene) -> None:
    scene = make(cursor={"path": "at", "lag_seconds": 60}, primary_key=["id"])
    scene.run(rows_of("orders", [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-01T00:01:00Z"}]))
    scene.run(
        rows_of("orders", [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 3, "at": "2026-01-01T00:00:30+00:00"}])
    )
    assert sorted(row["id"] for row in scene.data("shop-orders")) == [1, 2, 3]


def test_b10_a_time_in_the_future_does_not_move_the_cursor(make: MakeScene) -> None:
    scene = make(cursor={"path": "at"})
    scene.run(rows_of("orders", [{"at": "2025-12-31T23:00:00+01:00"}, {"at": "9999-01-01"}]))
    assert scene.state.streams == {"orders": {"cursor": "2025-12-31T23:00:00+01:00"}}
    assert "lies in the future" in scene.reports.messages[-1]
    assert len(scene.data("shop-orders")) == 2


def test_a_row_without_a_cursor_is_kept_apart(make: MakeScene) -> None:
    scene = make(**BY_ID)
    scene.allow_bad_rows("shop-orders")
    scene.run([*orders(1), Record("orders", {"n": 1})])
    assert "no value in 'id'" in scene.last("shop-orders").issues[0].reason


def test_a_quota_cuts_where_the_next_run_goes_on(make: MakeScene) -> None:
    scene = make(max_rows_per_run=3, **BY_ID)
    # Two rows share the value at which it is cut: both come with the next run.
    items = orders(1, 2, 3, 3, 4)
    scene.run(items)
    assert [row["id"] for row in scene.data("shop-orders")] == [1, 2]
    assert "3 rows are what this run may read, and there is more" in scene.reports.messages[0]
    scene.run([*items, *orders(5)])
    assert [row["id"] for row in scene.data("shop-orders")] == [1, 2, 3, 3, 4]
    scene.run([*items, *orders(5)])
    assert [row["id"] for row in scene.data("shop-orders")] == [1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize("policy", [{}, {"mode": "replace", **BY_ID}, BY_ID])
def test_a_quota_stops_what_cannot_be_read_in_parts(make: MakeScene, policy: dict[str, Any]) -> None:
    scene = make(max_rows_per_run=2, **policy)
    with pytest.raises(TooMuchError, match="cannot be read in parts"):
        scene.run(orders(3, 1, 2))
    assert scene.state.streams == {}


def test_a_quota_of_the_day_counts_all_runs(make: MakeScene) -> None:
    scene = make(max_rows_per_day=3, **BY_ID)
    scene.run(orders(1, 2))
    scene.run(orders(3, 4, 5))
    assert [row["id"] for row in scene.data("shop-orders")] == [1, 2, 3]
    with pytest.raises(InvalidRequestError, match="were read on 2026-01-01"):
        scene.run(orders(4))
    scene.clock.advance(86_400)
    scene.run(orders(4))
    assert len(scene.data("shop-orders")) == 4


def test_a_full_refresh_begins_anew(make: MakeScene) -> None:
    scene = make(**BY_ID)
    scene.run([*orders(1, 2), *rows_of("items", [{"id": 5}])])
    scene.run([*orders(2), *rows_of("items", [{"id": 1}])], full_refresh=True, streams=["orders"])
    assert [row["id"] for row in scene.data("shop-orders")] == [2]
    assert scene.state.streams == {"orders": {"cursor": 2}, "items": {"cursor": 5}}


def test_a_state_of_the_collector_moves_with_the_data(make: MakeScene) -> None:
    scene = make()
    state = {"bookmarks": {"orders": {"page": 2}, "items": {"page": 9}}}
    items = [*orders(1), State(value={"bookmarks": {"orders": {"page": 1}}}), *rows_of("items", [{"id": "x"}])]
    scene.run([*items, State(value=state)])
    assert scene.state.collector == {"singer": state}
    later = {"bookmarks": {"orders": {"page": 3}, "items": {"page": 10}}}
    scene.change(contract={"types": "discard_row"})
    scene.run([*orders(2), *rows_of("items", [{"id": "y"}]), State(value=later)])
    assert scene.state.collector == {"singer": later}


def test_b3_of_a_state_of_all_only_the_part_of_delivered_streams_moves(make: MakeScene) -> None:
    scene = make()
    scene.run([*orders(1), *rows_of("items", [{"id": 1}]), State(value={"bookmarks": {"orders": 1, "items": 1}})])
    with pytest.raises(InvalidDataError, match="1 of 2 streams were refused"):
        scene.run(
            [
                *rows_of("items", [{"id": "x"}]),
                *orders(2),
                State(value={"bookmarks": {"orders": 2, "items": 2}}),
            ]
        )
    assert scene.state.collector == {"singer": {"bookmarks": {"orders": 2, "items": 1}}}


def test_declared_types_and_keys_hold(make: MakeScene) -> None:
    scene = make(streams={"orders": {"mode": "merge", "primary_key": ["id"]}})
    schema = StreamSchema(stream="orders", types={"id": ColumnType.STRING, "n": ColumnType.NUMBER}, primary_key=["id"])
    scene.run([schema, *orders(1, n=1), *orders(1, n=2)])
    assert scene.data("shop-orders") == [{"id": "1", "n": 2.0}]
    with pytest.raises(InvalidDataError, match="All 1 rows"):
        scene.run([schema, *orders(2, n="x")])


def test_a_cursor_of_the_collector_itself(make: MakeScene) -> None:
    scene = make()
    hints = {"orders": Cursor(path="id", initial=2)}
    scene.run(orders(1, 2, 3), hints=hints)
    assert [row["id"] for row in scene.data("shop-orders")] == [2, 3]


def test_fields_that_are_not_allowed_and_persons_never_come_in(make: MakeScene) -> None:
    scene = make(
        allowed_fields=["id", "user", "note", "mail"],
        pii={"columns": {"user.name": "mask", "mail": "hash", "user.phone": "drop"}, "detected": "drop"},
    )
    scene.allow_bad_rows("shop-orders")
    scene.put_secret("PII_KEY", "k" * 16)
    row = {
        "id": 1,
        "secret": "s3cr3t",
        "user": {"name": "Ann Lee", "phone": "+49 30 123456", "age": 3},
        "mail": "ann@example.com",
        "note": "write to bob@example.com or 4111 1111 1111 1111, not 1234 5678 9012 3456",
    }
    scene.run(rows_of("orders", [row]))
    [found] = scene.data("shop-orders")
    assert found["user.name"] == "xxx xxx"
    assert found["note"] == "write to [email] or [card], not 1234 5678 9012 3456"
    assert set(found) == {"id", "user.name", "user.age", "mail", "note"}
    assert len(found["mail"]) == 32
    # Neither in quarantine, and hashed once there too.
    scene.run(rows_of("orders", [row, row | {"id": "x"}]))
    [refused], _ = quarantine.list_rows(scene.ports, scene.principal, "shop-orders", 2, limit=10)
    assert refused.text is not None
    assert found["mail"] in refused.text
    assert not any(word in refused.text for word in ("Ann", "s3cr3t", "bob@", "ann@", "123456"))


def test_hashes_need_a_key(make: MakeScene) -> None:
    scene = make(pii={"columns": {"id": "hash"}})
    scene.put_secret("PII_KEY", "short")
    with pytest.raises(InvalidRequestError, match="has 5 characters; it needs 16 or more"):
        scene.run(orders(1))
