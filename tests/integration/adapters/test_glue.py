"""The catalogue on Glue, and what other programs find there."""

import pytest

from aimass_core.adapters.glue import GlueCatalog
from aimass_core.bootstrap import AwsClients
from aimass_core.domain.tables import PARTITION_KEY
from tests.contracts.catalog import CatalogContract, new_definition


class TestGlue(CatalogContract):
    @pytest.fixture
    def catalog(self, clients: AwsClients) -> GlueCatalog:
        return GlueCatalog(clients.glue)


def test_a_table_is_what_hive_expects_with_a_partition_for_every_file(clients: AwsClients) -> None:
    wanted = new_definition(num_files=250)
    GlueCatalog(clients.glue).put(wanted)
    table = clients.glue.get_table(DatabaseName=wanted.name.database, Name=wanted.name.name)["Table"]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["PartitionKeys"] == [{"Name": PARTITION_KEY, "Type": "string"}]
    assert [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]] == list(
        wanted.columns
    )
    pages = clients.glue.get_paginator("get_partitions").paginate(
        DatabaseName=wanted.name.database, TableName=wanted.name.name
    )
    partitions = [partition for page in pages for partition in page["Partitions"]]
    assert [(p["Values"], p["StorageDescriptor"]["Location"]) for p in partitions] == [
        ([file.value], file.location) for file in wanted.files
    ]
