"""What the settings of every subsystem have in common, and how they are read, changed and brought back."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from aimass_core.domain.common import Contract, Request, Resource, Text

_log = logging.getLogger(__name__)


class Subsystem(StrEnum):
    """A part of the platform with settings of its own."""

    COLLECTION = "collection"
    TRAINING = "training"
    SEARCH = "search"
    COMPRESSION = "compression"
    INFERENCE = "inference"
    QUOTAS = "quotas"
    RETENTION = "retention"
    NOTIFICATIONS = "notifications"
    LOGGING = "logging"


class Applies(StrEnum):
    """When a change is felt: within seconds; by what is submitted or made from then on; by what starts anew."""

    LIVE = "live"
    NEXT_JOB = "next_job"
    RESTART = "restart"


class SettingSource(StrEnum):
    """Who said it: nobody, whoever deployed the platform, the workspace."""

    DEFAULT = "default"
    DEPLOYMENT = "deployment"
    WORKSPACE = "workspace"


class SubsystemSettings(BaseModel):
    """Base of the settings of one subsystem. Every field has a default, and is made by `setting`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    subsystem: ClassVar[Subsystem]
    # Where the deployment says something, it is the most that a workspace may say.
    are_ceilings: ClassVar[bool] = False

    @classmethod
    def effective(cls, deployment: Mapping[str, Any], workspace: Mapping[str, Any]) -> Self:
        """What holds. A value that the class does not take any more counts as not said, so that a later release with
        other bounds never keeps anybody from working."""
        found: dict[str, Any] = {}
        for said in (deployment, workspace):
            found = cls._keep_valid({**found, **cls._cap(said, deployment)}, otherwise=found)
        return cls.model_validate(found)

    @classmethod
    def schema_for(cls, deployment: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON Schema of a form, with the deployment's defaults and ceilings."""
        schema = cls.model_json_schema()
        for name, value in cls._keep_valid(deployment, otherwise={}).items():
            described = schema["properties"][name]
            described["default"] = value
            if cls.is_ceiling(name, deployment):
                for kind in (described, *described.get("anyOf", ())):
                    if kind.get("type") in ("integer", "number"):
                        kind["maximum"] = value
        return schema

    @classmethod
    def is_ceiling(cls, name: str, deployment: Mapping[str, Any]) -> bool:
        """Whether the workspace may not go beyond what the deployment says of a field."""
        return cls.are_ceilings and isinstance(deployment.get(name), int | float)

    @classmethod
    def exceeds(cls, name: str, value: object, deployment: Mapping[str, Any]) -> bool:
        """Whether a value is beyond the deployment's; null means without a limit."""
        if not cls.is_ceiling(name, deployment):
            return False
        return value is None or (isinstance(value, int | float) and value > deployment[name])

    @classmethod
    def _cap(cls, said: Mapping[str, Any], deployment: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: deployment[name] if cls.exceeds(name, value, deployment) else value for name, value in said.items()
        }

    @classmethod
    def _keep_valid(cls, values: Mapping[str, Any], *, otherwise: Mapping[str, Any]) -> dict[str, Any]:
        """Those that the class takes; `otherwise`, where they contradict each other."""
        kept = dict(values)
        while True:
            try:
                cls.model_validate(kept)
            except ValidationError as error:
                wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
                _log.warning("settings are left out", extra={"subsystem": cls.subsystem, "fields": sorted(wrong)})
                if not wrong & kept.keys():
                    return dict(otherwise)
                kept = {name: value for name, value in kept.items() if name not in wrong}
            else:
                return kept


SettingsT = TypeVar("SettingsT", bound=SubsystemSettings)


def setting(
    default: Any,
    *,
    title: str,
    description: str,
    applies: Applies = Applies.LIVE,
    unit: str | None = None,
    **bounds: Any,
) -> Any:
    """A field of a subsystem's settings: what a form needs to show it, and when it applies."""
    extra: dict[str, Any] = {"applies": applies.value, **({} if unit is None else {"unit": unit})}
    return Field(default=default, title=title, description=description, json_schema_extra=extra, **bounds)


class FieldChange(Contract):
    """Who changed a field last."""

    version: int
    by: str
    at: AwareDatetime


class SettingsRecord(Resource):
    """What a workspace has said of one subsystem, which is also its id. The revision is the version."""

    resource: ClassVar[str] = "settings"
    prefix: ClassVar[str] = "set"

    values: dict[str, JsonValue] = Field(default={}, description="Of those fields alone that the workspace has set.")
    changes: dict[str, FieldChange] = {}


class SettingChange(Contract):
    """A field before and after a change; null: not set by the workspace."""

    before: JsonValue = None
    after: JsonValue = None


class SettingsVersion(Resource):
    """One of the versions of a subsystem's settings. Version 1, in which nothing is set, is not listed."""

    resource: ClassVar[str] = "settings_version"
    prefix: ClassVar[str] = "sev"

    subsystem: Subsystem
    version: int
    values: dict[str, JsonValue] = Field(description="What the workspace had set from then on.")
    changed: dict[str, SettingChange]
    reason: str | None = None


class SettingState(Contract):
    """A field as it holds now."""

    value: JsonValue
    default: JsonValue = Field(description="What holds where the workspace says nothing.")
    source: SettingSource
    applies: Applies
    version: int | None = Field(default=None, description="Of the last change; null where there was none.")
    changed_by: str | None = None
    changed_at: AwareDatetime | None = None


class SettingsDetail(Resource):
    """Answer of GET /v1/settings/{subsystem}: what holds, where each value comes from, and the form that changes it.

    `revision` is the version; it is the ETag.
    """

    resource: ClassVar[str] = "settings"
    prefix: ClassVar[str] = "set"

    subsystem: Subsystem
    title: str
    description: str
    values: dict[str, JsonValue] = Field(description="Of all fields, as they hold now.")
    fields: dict[str, SettingState]
    json_schema: dict[str, JsonValue] = Field(
        description="Of `values`: title, description, bounds and default of each field, and as extras `unit` and "
        "`applies` (live, next_job, restart)."
    )


class SettingsOverview(Contract):
    """Answer of GET /v1/settings."""

    items: list[SettingsDetail]


FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class SettingsUpdate(Request):
    """Body of PATCH /v1/settings/{subsystem}. Fields that are not named stay; null brings back the default."""

    values: dict[FieldName, JsonValue] = Field(
        min_length=1, max_length=100, examples=[{"checkpoint_seconds": 30}, {"checkpoint_seconds": None}]
    )
    reason: Text | None = Field(default=None, description="Kept with the version and in the audit trail.")


class SubsystemRevert(Request):
    """Body of POST /v1/settings/{subsystem}/revert."""

    version: int | None = Field(default=None, ge=1, description="Null: the one before the present.")
