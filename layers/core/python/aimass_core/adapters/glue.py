"""The catalogue of tables on AWS Glue."""

from collections.abc import Iterator, Sequence
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.tables import PARTITION_KEY, TableDefinition, TableFile, TableName
from aimass_core.errors import AimassError, InvalidRequestError

_PARTITIONS_AT_ONCE = 100
_DIGEST, _DATASET = "aimass.digest", "aimass.dataset_id"
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
_NEVER = frozenset({"InvalidInputException", "ValidationException", "ResourceNumberLimitExceededException"})


class GlueCatalog:
    """Satisfies `Catalog`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, definition: TableDefinition) -> None:
        """See Catalog."""
        name = definition.name
        try:
            self._create_once(
                self._client.create_database,
                DatabaseInput={"Name": name.database, "Description": "Datasets of an AI Mass workspace."},
            )
            table = self._get(name)
            if table is not None and not _is_of(table, definition):
                self._client.delete_table(DatabaseName=name.database, Name=name.name)
                table = None
            if table is None:
                self._create(definition)
            self._put_partitions(definition)
            # NOTE: only now, so that nobody takes a table that lacks files for a whole one.
            self._client.update_table(
                DatabaseName=name.database, TableInput=_to_input(definition, {_DIGEST: definition.digest})
            )
        except AWS_ERRORS as error:
            raise _to_error(error) from error

    def find(self, name: TableName, *, dataset_id: str) -> str | None:
        """See Catalog."""
        try:
            table = self._get(name)
        except AWS_ERRORS as error:
            raise _to_error(error) from error
        if table is None or table["Parameters"].get(_DATASET) != dataset_id:
            return None
        digest: str | None = table["Parameters"].get(_DIGEST)
        return digest

    def drop(self, name: TableName, *, dataset_id: str) -> None:
        """See Catalog. Its partitions go with it."""
        try:
            table = self._get(name)
            if table is not None and table["Parameters"].get(_DATASET) == dataset_id:
                self._client.delete_table(DatabaseName=name.database, Name=name.name)
        except AWS_ERRORS as error:
            if code_of(error) != "EntityNotFoundException":
                raise _to_error(error) from error

    def drop_database(self, database: str) -> bool:
        """See Catalog."""
        try:
            self._client.delete_database(Name=database)
        except AWS_ERRORS as error:
            if code_of(error) != "EntityNotFoundException":
                raise _to_error(error) from error
            return False
        return True

    def _get(self, name: TableName) -> dict[str, Any] | None:
        try:
            table: dict[str, Any] = self._client.get_table(DatabaseName=name.database, Name=name.name)["Table"]
        except AWS_ERRORS as error:
            if code_of(error) == "EntityNotFoundException":
                return None
            raise
        return {"Parameters": {}, **table}

    def _create(self, definition: TableDefinition) -> None:
        self._create_once(
            self._client.create_table, DatabaseName=definition.name.database, TableInput=_to_input(definition, {})
        )

    def _put_partitions(self, definition: TableDefinition) -> None:
        for files in _chunks(definition.files):
            answer = self._client.batch_create_partition(
                DatabaseName=definition.name.database,
                TableName=definition.name.name,
                PartitionInputList=[
                    {"Values": [file.value], "StorageDescriptor": _to_storage(definition, file.location)}
                    for file in files
                ],
            )
            refused = [
                fault["ErrorDetail"]["ErrorCode"]
                for fault in answer.get("Errors", [])
                if fault["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"
            ]
            if refused:
                raise InvalidRequestError(f"The catalogue refused {len(refused)} of its files ({refused[0]}).")

    def _create_once(self, create: Any, **request: Any) -> None:
        try:
            create(**request)
        except AWS_ERRORS as error:
            if code_of(error) != "AlreadyExistsException":
                raise


def _chunks(files: Sequence[TableFile]) -> Iterator[Sequence[TableFile]]:
    for start in range(0, len(files), _PARTITIONS_AT_ONCE):
        yield files[start : start + _PARTITIONS_AT_ONCE]


def _to_input(definition: TableDefinition, parameters: dict[str, str]) -> dict[str, Any]:
    return {
        "Name": definition.name.name,
        "Description": definition.description,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "StorageDescriptor": _to_storage(definition, definition.location),
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            "numRows": str(definition.num_rows),
            _DATASET: definition.dataset_id,
            **parameters,
        },
    }


def _is_of(table: dict[str, Any], definition: TableDefinition) -> bool:
    """Whether it is the table of that version, or one of its that somebody has not finished."""
    parameters = table["Parameters"]
    is_digest = parameters.get(_DIGEST, definition.digest) == definition.digest
    return bool(parameters.get(_DATASET) == definition.dataset_id and is_digest)


def _to_storage(definition: TableDefinition, location: str) -> dict[str, Any]:
    columns = [{"Name": name, "Type": hive_type} for name, hive_type in definition.columns]
    return {**_PARQUET, "Columns": columns, "Location": location}


def _to_error(error: Exception) -> AimassError:
    if code_of(error) in _NEVER:
        return InvalidRequestError("The catalogue of tables does not take it: it has too many or too long columns.")
    return to_error(error, what="the catalogue of tables")
