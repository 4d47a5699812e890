"""The emulator's state: copying it, encoding it, and loading it without losing what streams still have to deliver."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ministack import app as ministack_app
from ministack.core import persistence, responses
from ministack.services import cloudwatch_logs, dynamodb, lambda_svc

from aimass_local.emulator.contract import require
from aimass_local.state import StateUnreadableError

STREAM_RECORDS_KEY = "stream_records"

_COPY_ATTEMPTS = 20
_DYNAMODB_STORES = (
    "tags",
    "ttl_settings",
    "pitr_settings",
    "kinesis_destinations",
    "contributor_insights",
    "backups",
    "resource_policies",
    "exports",
    "imports",
)

_logger = logging.getLogger(__name__)


def patch_persistence() -> None:
    """Saving is left to `aimass_local.state`; loading refuses files it cannot read, and brings back stream records."""
    for name in ("save_all", "load_state", "_load_persisted_state", "_build_persistence_save_dict"):
        require(callable(getattr(ministack_app, name, None)), f"ministack.app.{name} is gone")
    load_all = ministack_app._load_persisted_state

    def load_persisted_state() -> None:
        load_all()
        _restore_stream_records(_load_state(STREAM_RECORDS_KEY))

    require(set(dynamodb.get_state()) == {"tables", *_DYNAMODB_STORES}, "DynamoDB's state has other parts")

    def save_nothing(_services: Mapping[str, Callable[[], Any]]) -> None:
        """The state saver has the last word, after the server has stopped."""

    ministack_app.load_state = _load_state
    ministack_app._load_persisted_state = load_persisted_state
    ministack_app.save_all = save_nothing


def state_keys() -> frozenset[str]:
    """Names of all state files of the services that have been used."""
    return frozenset(ministack_app._build_persistence_save_dict()) | {STREAM_RECORDS_KEY}


async def snapshot(keys: Collection[str]) -> dict[str, Any]:
    """Takes a consistent copy of each service's state.

    Has to run on the server's event loop: DynamoDB and most others change only there. The few that also change in
    threads (logs, Lambda) are copied again if they changed meanwhile.
    """
    getters: dict[str, Callable[[], Any]] = dict(ministack_app._build_persistence_save_dict())
    getters["dynamodb"] = _encode_dynamodb
    getters[STREAM_RECORDS_KEY] = _pending_stream_records
    states: dict[str, Any] = {}
    # NOTE: no `await` between DynamoDB and its stream records, or a write could be in the one and not in the other.
    pair = [key for key in ("dynamodb", STREAM_RECORDS_KEY) if key in keys and key in getters]
    states.update(await _copy_state(lambda: {key: getters[key]() for key in pair}))
    for key in sorted(set(keys) & set(getters) - set(pair)):
        state = await _copy_state(getters[key])
        if state is not None:
            states[key] = state
        await asyncio.sleep(0)
    return states


def encode_state(key: str, state: object) -> bytes:
    """The content of the state file `<key>.json`, as the emulator reads it; bytes are encoded already."""
    if isinstance(state, bytes):
        return state
    document = {"__ministack_format__": persistence._state_format_version(key), "payload": state}
    return json.dumps(document, default=persistence._json_default).encode()


def trim_logs(*, max_streams: int, max_events: int) -> None:
    """Drops the oldest log streams of each group: every invocation makes one, and nothing else ends them."""
    for group in list(cloudwatch_logs._log_groups._data.values()):
        streams = group["streams"]
        newest_first = sorted(streams.items(), key=lambda item: item[1]["creationTime"], reverse=True)
        num_events = 0
        for position, (name, stream) in enumerate(newest_first):
            num_events += len(stream["events"])
            if position >= max_streams or (position > 0 and num_events > max_events):
                streams.pop(name, None)
    records = cloudwatch_logs._log_records._data
    for pointer in list(records)[: max(0, len(records) - max_events)]:
        records.pop(pointer, None)


def _load_state(key: str) -> Any:
    state = persistence.load_state(key)
    path = Path(persistence.STATE_DIR) / f"{key}.json"
    if state is None and path.exists():
        raise StateUnreadableError(
            f"cannot read {path}: move it away to go on without it, or run `aimass local reset` to begin anew"
        )
    return state


def _encode_dynamodb() -> bytes:
    """DynamoDB's state as `get_state` gives it, encoded at once: that takes a quarter of the time of its deep copy.

    Neither leaves the event loop meanwhile, so the shorter one is the one that clients notice less.
    """
    tables = responses.AccountRegionScopedDict()
    for scoped_name, table in dynamodb._tables._data.items():
        tables._data[scoped_name] = {key: value for key, value in table.items() if key != dynamodb._INDEX_MEMBERS}
    stores = {key: getattr(dynamodb, f"_{key}") for key in _DYNAMODB_STORES}
    return encode_state("dynamodb", {"tables": tables, **stores})


def _pending_stream_records() -> dict[str, Any]:
    """DynamoDB stream records that at least one event source mapping has not consumed yet.

    The emulator keeps them in memory only, and persists the mappings' positions: after a restart the positions would
    point past the end of the emptied stream, and the next records would be skipped.
    """
    positions: dict[tuple[str, str, str], list[int]] = {}
    with lambda_svc._dynamodb_stream_positions_lock:
        for (account, region, mapping_id), position in lambda_svc._dynamodb_stream_positions._data.items():
            mapping = lambda_svc._esms._data.get((account, region, mapping_id))
            table = _stream_table(mapping)
            if table:
                positions.setdefault((account, region, table), []).append(position)
    pending = responses.AccountRegionScopedDict()
    for scoped_table, consumed in positions.items():
        records = dynamodb._stream_records._data.get(scoped_table, [])
        trimmed = dynamodb._stream_trimmed._data.get(scoped_table, 0)
        waiting = records[max(0, min(consumed) - trimmed) :]
        if waiting:
            pending._data[scoped_table] = list(waiting)
    return {"records": pending}


def _restore_stream_records(state: Any) -> None:
    with lambda_svc._dynamodb_stream_positions_lock:
        for scoped_mapping in list(lambda_svc._dynamodb_stream_positions._data):
            lambda_svc._dynamodb_stream_positions._data[scoped_mapping] = 0
    if state:
        dynamodb._stream_records._data.update(state["records"]._data)


def _stream_table(mapping: Mapping[str, Any] | None) -> str | None:
    """The table of `arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>`."""
    arn = (mapping or {}).get("EventSourceArn", "")
    return arn.split("/")[1] if ":dynamodb:" in arn and "/stream/" in arn else None


async def _copy_state(getter: Callable[[], Any]) -> Any:
    for _ in range(_COPY_ATTEMPTS):
        try:
            return getter()
        except RuntimeError as error:
            # "dictionary changed size during iteration": a thread was writing.
            _logger.debug("state changed while it was copied: %s", error)
            await asyncio.sleep(0.01)
    return getter()
