"""Settings of subsystems: read with where each value comes from, changed, listed and brought back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import JsonValue, ValidationError

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.settings import subsystems
from aimass_core.domain.settings.contract import (
    Applies,
    FieldChange,
    SettingChange,
    SettingsDetail,
    SettingSource,
    SettingsOverview,
    SettingsRecord,
    SettingState,
    SettingsUpdate,
    SettingsVersion,
    Subsystem,
    SubsystemSettings,
)
from aimass_core.errors import ErrorDetail, InvalidRequestError, NotFoundError, StaleRevisionError
from aimass_core.ports import Ports, Put, WriteConflictError
from aimass_core.services import records

_FIRST = 1
BUDGETED = "BUDGETED"
"""The status of the quotas of a workspace that has a budget, so that the reconciler finds it."""
RETAINED = "RETAINED"
"""The same of retention."""


def list_all(ports: Ports, principal: Principal) -> SettingsOverview:
    """Of every subsystem."""
    return SettingsOverview(items=[get(ports, principal, subsystem) for subsystem in Subsystem])


def get(ports: Ports, principal: Principal, subsystem: Subsystem) -> SettingsDetail:
    """As they hold now, with where each value comes from."""
    return _to_detail(ports, subsystem, _load(ports, principal, subsystem))


def update(
    ports: Ports, principal: Principal, subsystem: Subsystem, request: SettingsUpdate, *, revision: int
) -> SettingsDetail:
    """Changes fields; null brings a default back. Raises InvalidRequestError or StaleRevisionError."""
    record = _load(ports, principal, subsystem)
    _require_revision(record, subsystem, revision)
    cls = subsystems.SUBSYSTEMS[subsystem]
    _check_names(cls, request.values)
    said = {**record.values, **request.values}
    values = {name: value for name, value in said.items() if value is not None}
    return _save(ports, principal, subsystem, record, values, reason=request.reason)


def revert(ports: Ports, principal: Principal, subsystem: Subsystem, *, version: int | None) -> SettingsDetail:
    """Brings back a former version (None: the one before the present), as a new one. Raises NotFoundError."""
    record = _load(ports, principal, subsystem)
    wanted = record.revision - 1 if version is None else version
    former = _find_values(ports, principal, subsystem, wanted)
    if former is None or wanted >= record.revision:
        raise NotFoundError(
            f"The settings of {subsystem} are at version {record.revision}; there is no version {wanted} to go back to."
        )
    return _save(ports, principal, subsystem, record, former, reason=f"As in version {wanted}.")


def list_history(
    ports: Ports, principal: Principal, subsystem: Subsystem, *, limit: int, start: str | None
) -> tuple[list[SettingsVersion], str | None]:
    """A page of the versions, newest first."""
    return records.list_page(ports, SettingsVersion, principal.workspace_id, subsystem, limit=limit, start=start)


def _load(ports: Ports, principal: Principal, subsystem: Subsystem) -> SettingsRecord:
    row = ports.registry.get(keys.row(principal.workspace_id, SettingsRecord.resource, subsystem))
    if row is not None:
        return SettingsRecord.model_validate(row.data)
    now = ports.clock()
    return SettingsRecord(
        id=subsystem,
        workspace_id=principal.workspace_id,
        created_at=now,
        updated_at=now,
        created_by="platform",
        revision=_FIRST,
    )


def _require_revision(record: SettingsRecord, subsystem: Subsystem, revision: int) -> None:
    if record.revision != revision:
        raise StaleRevisionError(
            f"The settings of {subsystem} are at version {record.revision}, not {revision}. Read them again and repeat "
            "the change."
        )


def _check_names(cls: type[SubsystemSettings], values: Mapping[str, Any]) -> None:
    unknown = [name for name in values if name not in cls.model_fields]
    if unknown:
        there_are = ", ".join(cls.model_fields)
        details = [ErrorDetail(location=f"body.values.{name}", message="There is no such setting.") for name in unknown]
        raise InvalidRequestError(
            f"{unknown[0]!r} is no setting of {cls.subsystem}. There are: {there_are}.", details=details
        )


def _check_values(ports: Ports, cls: type[SubsystemSettings], values: Mapping[str, JsonValue]) -> SubsystemSettings:
    """What holds with these. Raises InvalidRequestError where the class does not take them."""
    deployment = ports.live_settings.deployment.get(cls.subsystem, {})
    for name, value in values.items():
        if cls.exceeds(name, value, deployment):
            message = f"{value!r} is beyond {deployment[name]!r}, which this deployment allows a workspace at most."
            raise InvalidRequestError(
                f"{name}: {message} Choose less, or ask whoever runs it.",
                details=[ErrorDetail(location=f"body.values.{name}", message=message)],
            )
    try:
        return cls.model_validate({**deployment, **values})
    except ValidationError as error:
        details = [
            ErrorDetail(
                location=".".join(["body", "values", *(str(part) for part in fault["loc"])]),
                message=f"{fault['msg']}; got {fault['input']!r:.100}" if fault["loc"] else fault["msg"],
            )
            for fault in error.errors(include_url=False)
        ]
        words = "; ".join(f"{detail.location.removeprefix('body.values.')}: {detail.message}" for detail in details[:3])
        raise InvalidRequestError(f"These settings of {cls.subsystem} cannot hold: {words}", details=details) from error


def _save(
    ports: Ports,
    principal: Principal,
    subsystem: Subsystem,
    record: SettingsRecord,
    values: Mapping[str, JsonValue],
    *,
    reason: str | None,
) -> SettingsDetail:
    """As the next version, in one transaction with its place in the history and the audit entry."""
    cls = subsystems.SUBSYSTEMS[subsystem]
    checked = _check_values(ports, cls, values)
    said = {name: value for name, value in checked.model_dump(mode="json").items() if name in values}
    changed = {
        name: SettingChange(before=record.values.get(name), after=said.get(name))
        for name in cls.model_fields
        if (name in record.values) != (name in said) or record.values.get(name) != said.get(name)
    }
    if not changed:
        return _to_detail(ports, subsystem, record)
    now, number = ports.clock(), record.revision + 1
    change = FieldChange(version=number, by=principal.actor, at=now)
    saved = record.model_copy(
        update={
            "values": said,
            "changes": {**record.changes, **dict.fromkeys(changed, change)},
            "updated_at": now,
            "revision": number,
        }
    )
    version = SettingsVersion(
        **records.new_fields(ports, principal, SettingsVersion),
        subsystem=subsystem,
        version=number,
        values=said,
        changed=changed,
        reason=reason,
    )
    # NOTE: who changed a field when is what the entry itself says.
    was, becomes = (each.model_copy(update={"changes": {}}) for each in (record, saved))
    row = replace(records.to_row(saved), status=_status_of(saved))
    try:
        ports.registry.write(
            Put(row=row, expected=None if record.revision == _FIRST else record.revision),
            Put(row=records.to_row(version, subsystem, number)),
            records.audit(ports, principal, "settings.update", was, after=becomes, version=number, reason=reason),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(
            f"The settings of {subsystem} were changed meanwhile. Read them again and repeat the change."
        ) from error
    return _to_detail(ports, subsystem, saved)


def _status_of(record: SettingsRecord) -> str | None:
    """By which the reconciler finds what it has to do."""
    if record.id == Subsystem.RETENTION:
        return RETAINED
    # NOTE: also of a budget that was taken away: what it has stopped has to come back.
    return BUDGETED if record.id == Subsystem.QUOTAS and "monthly_budget_usd" in record.changes else None


def _find_values(ports: Ports, principal: Principal, subsystem: Subsystem, version: int) -> dict[str, JsonValue] | None:
    if version == _FIRST:
        return {}
    if version < _FIRST:
        return None
    row = ports.registry.get(keys.row(principal.workspace_id, SettingsVersion.resource, subsystem, version))
    return None if row is None else SettingsVersion.model_validate(row.data).values


def _to_detail(ports: Ports, subsystem: Subsystem, record: SettingsRecord) -> SettingsDetail:
    cls = subsystems.SUBSYSTEMS[subsystem]
    deployment = ports.live_settings.deployment.get(subsystem, {})
    holds = cls.effective(deployment, record.values).model_dump(mode="json")
    defaults = cls.effective(deployment, {}).model_dump(mode="json")
    schema = cls.schema_for(deployment)
    fields = {
        name: _to_state(
            name, record, value=value, default=defaults[name], is_deployed=name in deployment, schema=schema
        )
        for name, value in holds.items()
    }
    return SettingsDetail(
        **record.model_dump(include=set(SettingsDetail.model_fields) - {"values"}),
        subsystem=subsystem,
        title=subsystem.value.capitalize(),
        description=subsystems.describe(subsystem),
        values=holds,
        fields=fields,
        json_schema=schema,
    )


def _to_state(
    name: str,
    record: SettingsRecord,
    *,
    value: JsonValue,
    default: JsonValue,
    is_deployed: bool,
    schema: Mapping[str, Any],
) -> SettingState:
    change = record.changes.get(name)
    elsewhere = SettingSource.DEPLOYMENT if is_deployed else SettingSource.DEFAULT
    return SettingState(
        value=value,
        default=default,
        source=SettingSource.WORKSPACE if name in record.values else elsewhere,
        applies=Applies(schema["properties"][name]["applies"]),
        version=None if change is None else change.version,
        changed_by=None if change is None else change.by,
        changed_at=None if change is None else change.at,
    )
