"""The parts of a run: addresses, messages, pages, watermarks, contracts, what names a person."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from aimass_core.domain.collector_messages import Note, Record, State, StreamSchema, parse
from aimass_core.domain.collectors import RestCollector, SqlCollector
from aimass_core.domain.rest_collectors import Paginator, RestConfig
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.sources import ContractMode, Cursor, OnViolation, PiiAction, PiiPolicy, SchemaContract
from aimass_core.errors import InvalidDataError
from aimass_core.services.flattening import find, flatten
from aimass_core.services.pii import PiiFilter
from batch_jobs.collect import addresses
from batch_jobs.collect.contract import Contract, RowRefusedError
from batch_jobs.collect.cursors import Watermark
from batch_jobs.collect.errors import AddressRefusedError, SourceUnavailableError
from batch_jobs.collect.readers.rest_pages import Page, Pages, find_records

OF_STREAM = {"stream_descriptor": {"name": "a"}, "stream_state": 1}
PAGINATOR: TypeAdapter[Paginator] = TypeAdapter(Paginator)


# --- B7: addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "ff02::1",
        "no address",
    ],
)
def test_b7_addresses_that_are_not_public_are_refused_in_every_form(address: str) -> None:
    assert not addresses.is_public(address)
    with pytest.raises(AddressRefusedError, match="may not reach"):
        addresses.checked("evil.example.com", 443, resolver=lambda _host, _port: [address])


def test_b7_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(AddressRefusedError):
        addresses.checked("x.example.com", 80, resolver=lambda _host, _port: ["93.184.215.14", "10.0.0.1"])


def test_public_addresses_and_allowed_hosts_pass() -> None:
    assert addresses.checked("a", 80, resolver=lambda _host, _port: ["93.184.215.14", "2606:2800:21f::1"])
    assert addresses.checked("a", 80, allowed_hosts=["a"], resolver=lambda _host, _port: ["10.0.0.1"]) == ["10.0.0.1"]


def test_a_host_without_an_address_is_named() -> None:
    def fail(_host: str, _port: int) -> list[str]:
        raise OSError

    with pytest.raises(SourceUnavailableError, match="'nowhere' cannot be resolved"):
        addresses.checked("nowhere", 80, resolver=fail)


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"type": "RECORD", "stream": "a", "record": {"x": 1}}, [Record("a", {"x": 1})]),
        ({"type": "RECORD", "record": {"stream": "a", "data": {"x": 1}, "emitted_at": 1}}, [Record("a", {"x": 1})]),
        ({"type": "STATE", "value": {"bookmarks": {}}}, [State(value={"bookmarks": {}})]),
        (
            {
                "type": "STATE",
                "state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "a"}, "stream_state": 1}},
            },
            [State(value=1, stream="a")],
        ),
        ({"type": "STATE", "state": {"data": {"x": 1}}}, [State(value={"x": 1})]),
        ({"type": "LOG", "log": {"level": "INFO", "message": "hi"}}, [Note("hi")]),
        ({"type": "TRACE", "trace": {"type": "ERROR", "error": {"message": "no"}}}, [Note("no", is_error=True)]),
        ({"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}, []),
    ],
)
def test_messages_of_singer_and_airbyte(line: Any, expected: list[Any]) -> None:
    assert list(parse(json.dumps(line))) == expected


def test_a_schema_message_declares_what_it_says() -> None:
    schema = {
        "properties": {
            "id": {"type": "integer"},
            "at": {"type": ["null", "string"], "format": "date-time"},
            "user": {"type": ["object", "null"], "properties": {"name": {"type": "string"}}},
            "any": {"type": ["string", "integer"]},
            "price": {"type": ["null", "number", "integer"]},
        }
    }
    [found] = parse(json.dumps({"type": "SCHEMA", "stream": "a", "schema": schema, "key_properties": ["id"]}))
    assert found == StreamSchema(
        stream="a",
        types={
            "id": ColumnType.INTEGER,
            "at": ColumnType.DATETIME,
            "user.name": ColumnType.STRING,
            "price": ColumnType.NUMBER,
        },
        primary_key=("id",),
    )


@pytest.mark.parametrize("line", ["hello", "[1]", '{"type": "RECORD"}', '{"type": "BATCH"}', '{"type": "STATE"}', "{}"])
def test_what_is_no_message_is_shown(line: str) -> None:
    with pytest.raises(InvalidDataError, match="Write messages there and everything else to standard error"):
        parse(line)


# --- pages ------------------------------------------------------------------------------------------------------------


def walk(paginator: dict[str, Any], *bodies: Any, headers: dict[str, str] | None = None) -> list[tuple[Any, Any]]:
    pages = Pages(PAGINATOR.validate_python(paginator))
    seen: list[tuple[Any, Any]] = [(pages.url, pages.params)]
    for body in bodies:
        records = find_records(body, None) or []
        page = Page(url="https://x.y/a/b", body=body, headers=headers or {}, num_records=len(records))
        if not pages.move(page):
            seen.append(("end", None))
            break
        seen.append((pages.url, pages.params))
    return seen


def test_pages_by_offset_end_with_the_total_or_an_empty_page() -> None:
    found = walk(
        {"type": "offset", "limit": 2, "total_path": "total"},
        {"total": 3, "data": [{}, {}]},
        {"total": 3, "data": [{}]},
    )
    assert [params and params["offset"] for _, params in found] == [0, 2, None]
    assert walk({"type": "offset", "limit": 2}, [{}], [])[-1][0] == "end"


def test_pages_by_number() -> None:
    found = walk(
        {"type": "page_number", "base_page": 0, "total_path": "pages"},
        {"pages": 2, "items": [{}]},
        {"pages": 2, "items": [{}]},
    )
    assert [params and params["page"] for _, params in found] == [0, 1, None]


def test_pages_by_cursor_and_links() -> None:
    found = walk(
        {"type": "cursor", "cursor_path": "meta.next", "cursor_param": "c"}, {"meta": {"next": "x"}}, {"meta": {}}
    )
    assert [params for _, params in found] == [{}, {"c": "x"}, None]
    assert walk({"type": "json_link"}, {"next": "?page=2"}, {"next": None})[1][0] == "https://x.y/a/b?page=2"
    link = '<https://x.y/1>; rel="prev", </a?p=3>; rel="next last"; title="a, b"'
    assert walk({"type": "header_link"}, [{}], headers={"link": link})[1][0] == "https://x.y/a?p=3"
    assert walk({"type": "auto"}, {"_links": {"next": {"href": "/c"}}, "data": []})[1][0] == "https://x.y/c"
    assert walk({"type": "auto"}, [{}])[-1][0] == "end"
    assert walk({"type": "single_page"}, {"next": "/x"})[-1][0] == "end"
    words = {"x-next": "w"}
    assert walk({"type": "header_cursor", "cursor_key": "x-next"}, [{}], headers=words)[1][1] == {"cursor": "w"}
    assert walk({"type": "header_cursor", "cursor_key": "x-next"}, [{}])[-1][0] == "end"


@pytest.mark.parametrize("paginator", [{"type": "cursor"}, {"type": "json_link"}])
def test_a_list_in_which_nothing_can_lead_on_is_no_last_page(paginator: dict[str, Any]) -> None:
    with pytest.raises(InvalidDataError, match="header_cursor"):
        walk(paginator, [{"id": 1}])
    assert walk(paginator, [])[-1][0] == "end"


def test_records_are_found_where_they_usually_lie() -> None:
    assert find_records({"results": [{"a": 1}], "other": [{}]}, None) == [{"a": 1}]
    assert find_records({"x": [{"a": 1}], "n": 1}, None) == [{"a": 1}]
    assert find_records({"a": 1}, None) == [{"a": 1}]
    assert find_records({"a": {"b": [{"c": 1}]}}, "$.a.b") == [{"c": 1}]
    assert find_records({"a": 1}, "b") == []
    assert find_records("text", None) is None


# --- configurations ---------------------------------------------------------------------------------------------------


def rest(*resources: Any) -> RestConfig:
    config = {"client": {"base_url": "https://x.y"}, "resources": list(resources)}
    return RestCollector.model_validate({"type": "rest", "config": config}).config


def test_b8_only_known_schemes_and_databases_can_be_configured() -> None:
    for url in ("file:///etc/passwd", "gopher://x", "s3://other/x"):
        with pytest.raises(ValidationError):
            RestConfig.model_validate({"client": {"base_url": url}, "resources": [{"name": "a"}]})
    for url in ("sqlite:////etc/passwd", "jdbc:mysql://x/y", "postgresql://a:b@x/y", "file:///x"):
        with pytest.raises(ValidationError):
            SqlCollector.model_validate({"type": "sql", "url": url, "tables": ["a"]})


def test_parents_are_found_and_checked() -> None:
    config = rest({"name": "a"}, {"name": "b", "endpoint": {"path": "a/{resources.a.id}", "json": {"x": 1}}})
    assert config.resources[1].parents() == {"a": {"id"}}
    # What is stored can be read again.
    assert RestConfig.model_validate(config.model_dump(mode="json")) == config
    for resources in ([{"name": "b", "endpoint": {"path": "{resources.a.id}"}}, {"name": "a"}], [{"name": "a"}] * 2):
        with pytest.raises(ValidationError):
            rest(*resources)


# --- watermarks, contracts, persons -----------------------------------------------------------------------------------


def watermark(last: Any, **cursor: Any) -> Watermark:
    return Watermark(Cursor(path="at", **cursor), last, lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("last", "cursor", "taken"),
    [
        (None, {"initial": 2}, [2, 3]),
        (2, {}, [3]),
        (2, {"is_closed": True}, [2, 3]),
        ("2025-12-31", {"lag_seconds": 86_400}, ["2025-12-30", "2025-12-31T12:00:00+00:00"]),
    ],
)
def test_which_rows_are_new(last: Any, cursor: Any, taken: list[Any]) -> None:
    mark = watermark(last, **cursor)
    values = ["2025-12-29", *taken] if isinstance(taken[0], str) else [1, 2, 3]
    assert [value for value in values if mark.takes({"at": value})] == taken


def test_b10_times_are_compared_as_times_in_utc() -> None:
    mark = watermark("2025-06-01T10:00:00Z")
    assert not mark.takes({"at": "2025-06-01T11:30:00+02:00"})
    assert mark.takes({"at": "2025-06-01T11:30:00+01:00"})
    assert mark.highest == "2025-06-01T11:30:00+01:00"
    with pytest.raises(RowRefusedError, match="cannot be compared"):
        mark.takes({"at": 5})


VALUES: list[tuple[ColumnType, list[Any], list[Any]]] = [
    (ColumnType.INTEGER, [1, 2.0, "3", " -4 ", ""], [1.5, "x", True, 2**63, [1]]),
    (ColumnType.NUMBER, [1, 2.5, "3.5e3"], ["1,5", True, {}]),
    (ColumnType.BOOLEAN, [True, "FALSE"], [1, "yes"]),
    (ColumnType.DATETIME, ["2026-01-01", "2026-01-01T00:00:00Z", "31.12.2026"], [1, "soon"]),
    (ColumnType.STRING, ["x", 1, True, [1]], []),
    (ColumnType.SERIES, [[1, None, 2.5]], [1, ["x"]]),
]


@pytest.mark.parametrize(("column_type", "good", "bad"), VALUES)
def test_values_that_fit_a_type(column_type: ColumnType, good: list[Any], bad: list[Any]) -> None:
    contract = Contract("s", frozenset({"a"}), {"a": column_type}, SchemaContract(), OnViolation.QUARANTINE)
    for value in good:
        assert contract.check({"a": value}) == {"a": value}
    for value in bad:
        with pytest.raises(RowRefusedError):
            contract.check({"a": value})


def test_what_the_contract_does_not_know_is_counted_where_it_is_left_out() -> None:
    modes = SchemaContract(columns=ContractMode.DISCARD_VALUE, types=ContractMode.DISCARD_VALUE)
    contract = Contract("s", frozenset({"a"}), {"a": ColumnType.INTEGER}, modes, OnViolation.QUARANTINE)
    assert contract.check({"a": "x", "b": 1}) == {"a": None}
    assert contract.num_left_out == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("mail ann.lee+x@mail.example.co.uk now", "mail [email] now"),
        ("pay to DE89 3704 0044 0532 0130 00", "pay to [iban]"),
        ("DE00 3704 0044 0532 0130 00 is none", None),
        ("card 4111-1111-1111-1111", "card [card]"),
        ("order 1234567890123456", None),
        ("call +49 (30) 901820", "call [phone]"),
        ("from 192.0.2.7 to 999.1.1.1", "from [ip] to 999.1.1.1"),
        ("ssn 078-05-1120", "ssn [ssn]"),
        ("version 1.2.3 of 2026-01-02", None),
    ],
)
def test_what_names_a_person_is_found_in_text(text: str, hidden: str | None) -> None:
    found = PiiFilter(PiiPolicy(detected=PiiAction.DROP), lambda: "")
    assert found.apply({"t": text, "list": [{"t": text}]}) == {
        "t": hidden or text,
        "list": [{"t": hidden or text}],
    }


def test_hashes_are_the_same_for_the_same_value_and_key() -> None:
    def hashed(key: str) -> Any:
        return PiiFilter(PiiPolicy(columns={"a": PiiAction.HASH}), lambda: key).apply({"a": "Ann", "b": None})["a"]

    first: Callable[[], Any] = lambda: hashed("k" * 16)  # noqa: E731
    assert first() == first() != hashed("l" * 16)


def test_nested_records_become_flat_as_json_lines_do() -> None:
    assert flatten({"a": {"b": {"c": 1}, "d": {}}, "e": [1]}) == {"a.b.c": 1, "e": [1]}
    record = {"a": 1}
    assert flatten(record) is record
    assert (find({"a": [{"b": 1}]}, "a.0.b"), find({"a": 1}, "a.b")) == (1, None)
