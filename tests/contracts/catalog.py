"""What every catalogue of tables does. A test module subclasses this with its own `catalog` fixture."""

from dataclasses import replace

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.tables import TableDefinition, TableFile, TableName, database_of
from aimass_core.ports import Catalog


def new_definition(*, num_files: int = 2, dataset_id: str | None = None) -> TableDefinition:
    """A table in a database of its own."""
    folder = f"s3://lake/datasets/{new_id('ds')}/files/"
    return TableDefinition(
        name=TableName(database=database_of(new_id("ws")), name="adult_v1"),
        columns=(("age", "bigint"), ("capital-gain", "double"), ("series", "array<double>")),
        files=tuple(TableFile(value=f"{n:05d}-abc", location=f"{folder}{n}/") for n in range(num_files)),
        location=folder,
        num_rows=3,
        dataset_id=dataset_id or new_id("ds"),
        digest="d" * 64,
        description="AI Mass: adult@1",
    )


class CatalogContract:
    """The suite."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        """The catalogue under test."""
        raise NotImplementedError

    def test_a_table_is_found_by_its_digest(self, catalog: Catalog) -> None:
        table = new_definition()
        assert catalog.find(table.name, dataset_id=table.dataset_id) is None
        catalog.put(table)
        catalog.put(table)
        assert catalog.find(table.name, dataset_id=table.dataset_id) == table.digest
        assert catalog.find(table.name, dataset_id=new_id("ds")) is None, "it is not that dataset's"

    def test_a_table_gives_way_to_another_of_its_name(self, catalog: Catalog) -> None:
        former = new_definition()
        catalog.put(former)
        changed = replace(former, digest="e" * 64)
        catalog.put(changed)
        assert catalog.find(former.name, dataset_id=former.dataset_id) == changed.digest
        other = replace(former, dataset_id=new_id("ds"))
        catalog.put(other)
        assert catalog.find(former.name, dataset_id=former.dataset_id) is None
        assert catalog.find(former.name, dataset_id=other.dataset_id) == other.digest

    def test_a_dropped_table_is_gone_and_another_datasets_stays(self, catalog: Catalog) -> None:
        table = new_definition()
        catalog.put(table)
        catalog.drop(table.name, dataset_id=new_id("ds"))
        assert catalog.find(table.name, dataset_id=table.dataset_id) == table.digest
        for _ in range(2):
            catalog.drop(table.name, dataset_id=table.dataset_id)
            assert catalog.find(table.name, dataset_id=table.dataset_id) is None

    def test_a_dropped_database_is_gone_with_its_tables(self, catalog: Catalog) -> None:
        table, other = new_definition(), new_definition()
        catalog.put(table)
        catalog.put(other)
        assert catalog.drop_database(table.name.database)
        assert not catalog.drop_database(table.name.database)
        assert catalog.find(table.name, dataset_id=table.dataset_id) is None
        assert catalog.find(other.name, dataset_id=other.dataset_id) == other.digest
        catalog.put(table)
        assert catalog.find(table.name, dataset_id=table.dataset_id) == table.digest
