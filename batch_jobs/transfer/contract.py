"""What is in the zip: `manifest.json` with the SHA-256 of every other file, rows as JSON Lines, and objects as they lie
in the lake. Documents hold what is stored; ids stay what they are, so that an import finds what it made before.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from aimass_core.domain.artifacts import Sha256
from aimass_core.domain.common import Contract, Id, Name, Role, Text
from aimass_core.domain.datasets import Dataset, DatasetVersion
from aimass_core.domain.endpoint_watching import AlarmLimits
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.domain.notification_channels import NotificationRule
from aimass_core.domain.settings.contract import Subsystem
from aimass_core.domain.sources import SourceRecord, SourceState, StreamName
from aimass_core.domain.studies import Study
from aimass_core.domain.triggers import Trigger
from aimass_core.domain.users import Email

MANIFEST, MANIFEST_SHA256 = "manifest.json", "manifest.sha256"

EntryPath = Annotated[
    str,
    StringConstraints(
        max_length=500, pattern=r"^(rows|objects)/[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"
    ),
]


class Entry(Contract):
    """One file of the zip."""

    path: EntryPath
    num_bytes: int = Field(ge=0)
    sha256: Sha256


class Manifest(Contract):
    """`manifest.json`. Its own SHA-256 is in `manifest.sha256`."""

    format: Literal["aimass-workspace"] = "aimass-workspace"
    schema_version: int
    release: str
    exported_at: AwareDatetime
    workspace_id: Id
    workspace_name: str
    with_data: bool
    counts: dict[str, int]
    entries: list[Entry]


class SourceDocument(Contract):
    """A source without its secrets. `state` says where collecting goes on, where the rows are in the zip too."""

    record: SourceRecord
    datasets: dict[StreamName, Id] = Field(default={}, max_length=1_000)
    state: SourceState | None = None


class DatasetDocument(Contract):
    """A dataset and its versions that are READY; without data they are what their names and digests were."""

    dataset: Dataset
    versions: list[DatasetVersion] = []


class StudyDocument(Contract):
    """A study; `trials` are items of the table of studies, without their keys."""

    study: Study
    directions: list[Literal["MINIMIZE", "MAXIMIZE"]] = []
    attributes: dict[str, Any] = {}
    trials: list[dict[str, Any]] = []


class ModelDocument(Contract):
    """A model and its versions."""

    model: Model
    versions: list[ModelVersion] = []


class EndpointDocument(Contract):
    """An endpoint, and the limits of its alarms."""

    endpoint: Endpoint
    limits: AlarmLimits | None = None


class SettingsDocument(Contract):
    """What the workspace has said of one subsystem."""

    subsystem: Subsystem
    values: dict[str, JsonValue]


class UserDocument(Contract):
    """Who may do what. An import makes nobody a user: an invitation is for the person alone."""

    email: Email
    name: Text = ""
    role: Role


class ChannelDocument(Contract):
    """Where notifications went. Its address may hold a secret and its signature is one, so it is made anew by hand."""

    name: Name
    type: Literal["webhook", "slack", "email"]


Document = (
    SettingsDocument
    | SourceDocument
    | DatasetDocument
    | Job
    | StudyDocument
    | ModelDocument
    | EndpointDocument
    | Trigger
    | NotificationRule
    | ChannelDocument
    | UserDocument
)

# In the order in which an import makes them.
DOCUMENTS: Mapping[str, type[Document]] = {
    "settings": SettingsDocument,
    "source": SourceDocument,
    "dataset": DatasetDocument,
    "job": Job,
    "study": StudyDocument,
    "model": ModelDocument,
    "endpoint": EndpointDocument,
    "trigger": Trigger,
    "notification_rule": NotificationRule,
    "notification_channel": ChannelDocument,
    "user": UserDocument,
}


def rows_path(resource: str) -> str:
    """The documents of one resource."""
    return f"rows/{resource}.jsonl"


def package_path(sha256: str) -> str:
    """The package of a collector."""
    return f"objects/sources/{sha256}.tar.gz"


def dataset_file_path(dataset_id: str, sha256: str) -> str:
    """A Parquet file; versions share it."""
    return f"objects/datasets/{dataset_id}/files/{sha256}.parquet"


def dataset_version_path(dataset_id: str, number: int, name: str) -> str:
    """manifest.json, schema.json, ... of a version."""
    return f"objects/datasets/{dataset_id}/versions/{number:08d}/{name}"


def model_path(model_id: str, number: int, name: str) -> str:
    """An artifact of a model version."""
    return f"objects/models/{model_id}/{number:08d}/{name}"


def study_path(study_id: str, name: str) -> str:
    """`best.json`, or a file of the best trial as it lies below the study's folder."""
    return f"objects/studies/{study_id}/{name}"
