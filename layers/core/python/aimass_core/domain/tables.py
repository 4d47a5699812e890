"""Dataset versions as tables of a Hive catalogue (Glue), for Athena, Spark, Hive and whatever else reads one.

A database for each workspace, a table for each READY version. Versions share files, and a Hive table is made of
folders: so each file is a partition of its own, and the partition's key a column that a version of the same rows in
another system would not have. Queries through the API do not see it.
"""

from dataclasses import dataclass

from aimass_core.domain import keys
from aimass_core.domain.common import Contract
from aimass_core.domain.datasets import DatasetVersion, Manifest
from aimass_core.domain.schemas import ColumnType, Schema

PARTITION_KEY = "aimass_file"
_MAX_NAME = 255
_HIVE_TYPES = {
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "double",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DATETIME: "timestamp",
    ColumnType.STRING: "string",
    ColumnType.IMAGE: "binary",
    ColumnType.SERIES: "array<double>",
}


class TableName(Contract):
    """What a dataset version is called in the Glue catalogue."""

    database: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A partition: one Parquet file."""

    value: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinition:
    """A table as the catalogue keeps it. Hive's names are in small letters; Parquet's are found by them."""

    name: TableName
    columns: tuple[tuple[str, str], ...]
    files: tuple[TableFile, ...]
    location: str
    num_rows: int
    dataset_id: str
    digest: str
    description: str


class UnlistableError(Exception):
    """A catalogue cannot hold the version: `reason` says why, and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def database_of(workspace_id: str) -> str:
    """By its id: two names that Hive cannot tell apart must never share one."""
    return f"aimass_{workspace_id}"


def name_of(version: DatasetVersion) -> TableName:
    """`adult_v3`. Hive knows no hyphen: where a dataset's name has one, an end of its id tells it from others."""
    name = version.dataset_name
    if "-" in name:
        name = f"{name.replace('-', '_')}_{version.dataset_id[-6:]}"
    return TableName(database=database_of(version.workspace_id), name=f"{name}_v{version.number}")


def define(version: DatasetVersion, manifest: Manifest, *, bucket: str) -> TableDefinition:
    """The table of a version. Raises UnlistableError."""
    _check_names(manifest.data_schema)
    folder = f"s3://{bucket}/{keys.dataset_prefix(version.workspace_id, version.dataset_id)}files/"
    return TableDefinition(
        name=name_of(version),
        columns=tuple((column.name.lower(), _HIVE_TYPES[column.type]) for column in manifest.data_schema.columns),
        files=tuple(
            # A file may occur twice: rows are appended that are there already.
            TableFile(value=f"{position:05d}-{file.sha256[:12]}", location=f"{folder}{file.sha256}/")
            for position, file in enumerate(manifest.files)
        ),
        location=folder,
        num_rows=sum(file.num_rows for file in manifest.files),
        dataset_id=version.dataset_id,
        digest=manifest.digest(),
        description=f"AI Mass: {version.dataset_name}@{version.number}",
    )


def _check_names(schema: Schema) -> None:
    seen: dict[str, str] = {PARTITION_KEY: PARTITION_KEY}
    for column in schema.columns:
        folded = column.name.lower()
        if folded in seen:
            other = seen[folded]
            raise UnlistableError(
                f"SQL cannot tell its columns {other!r} and {column.name!r} apart. Upload it with other names."
            )
        if not column.name.strip() or len(column.name) > _MAX_NAME or not column.name.isprintable():
            raise UnlistableError(
                f"SQL cannot name its column {column.name[:50]!r}: 1 to {_MAX_NAME} printable characters are taken. "
                "Upload it with another name."
            )
        seen[folded] = column.name
