"""The catalogue follows the registry: every READY version is a table, whatever event was lost."""

import pytest

from aimass_core.adapters.memory import MemoryCatalog
from aimass_core.domain import keys
from aimass_core.domain import tables as naming
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.tables import TableDefinition, TableName
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.services import datasets, reconciler, tables
from tests.unit.core.services.ingest.scene import Scene

CSV = b"Age,since,income\n39,2020-01-01T00:00:00Z,1.5\n50,2021-01-01T00:00:00Z,2.5\n"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def catalog_of(scene: Scene) -> MemoryCatalog:
    return scene.ports.catalog


def test_a_ready_version_becomes_a_table_with_hives_types(scene: Scene) -> None:
    version = scene.upload(scene.dataset("adult"), CSV)
    assert tables.list_version(scene.ports, version.workspace_id, version.dataset_id, 1)
    (table,) = catalog_of(scene).tables.values()
    assert table.name == TableName(database=f"aimass_{version.workspace_id}", name="adult_v1")
    assert table.columns == (("age", "bigint"), ("since", "timestamp"), ("income", "double"))
    assert (table.digest, table.num_rows) == (version.digest, 2)
    (file,) = table.files
    stored = scene.ports.lake.list(file.location.removeprefix("s3://lake/"))
    assert [blob.key for blob in stored] == [
        keys.dataset_file(version.workspace_id, version.dataset_id, scene.manifest(version).files[0].sha256)
    ]
    assert not tables.list_version(scene.ports, version.workspace_id, version.dataset_id, 1), "it is done"


def test_a_rejected_version_asks_for_no_table(scene: Scene) -> None:
    version = scene.upload(scene.dataset("adult", target="gone"), CSV)
    assert scene.ports.registry.get(keys.row(version.workspace_id, tables.RESOURCE, version.dataset_id, 1)) is None


def test_a_table_has_the_files_of_its_manifest_shared_ones_too(scene: Scene) -> None:
    dataset = scene.dataset("adult")
    versions = [scene.upload(dataset, CSV), scene.upload(dataset, CSV, mode=WriteMode.APPEND)]
    for version in versions:
        tables.list_version(scene.ports, version.workspace_id, dataset.id, version.number)
        table = catalog_of(scene).tables[naming.name_of(version)]
        assert [file.location for file in table.files] == [
            f"s3://lake/{keys.dataset_file_folder(version.workspace_id, dataset.id, file.sha256)}"
            for file in scene.manifest(version).files
        ]
        assert len({file.value for file in table.files}) == len(table.files)


def test_names_that_hive_cannot_tell_apart_are_told_apart(scene: Scene) -> None:
    first = scene.upload(scene.dataset("a-b"), CSV)
    second = scene.upload(scene.dataset("a_b"), CSV)
    names = {naming.name_of(version).name for version in (first, second)}
    assert len(names) == 2
    assert "a_b_v1" in names
    assert not any("-" in name for name in names)


@pytest.mark.parametrize("header", ["Age,age", "aimass_file,b", f"{'x' * 256},b"])
def test_what_sql_cannot_name_is_refused_once_and_with_the_reason(scene: Scene, header: str) -> None:
    version = scene.upload(scene.dataset("adult"), f"{header}\n1,2\n".encode())
    assert tables.list_version(scene.ports, version.workspace_id, version.dataset_id, 1)
    row = scene.ports.registry.get(keys.row(version.workspace_id, tables.RESOURCE, version.dataset_id, 1))
    assert row is not None
    assert row.status == tables.REFUSED
    assert "with other names" in row.data["reason"] or "with another name" in row.data["reason"]
    with pytest.raises(InvalidRequestError, match="adult@1 cannot be a table"):
        tables.ensure(scene.ports, version)
    scene.clock.advance(60)
    assert tables.list_due(scene.ports) == 0


def test_a_lost_event_is_healed_and_a_catalogue_that_is_away_waited_for(scene: Scene) -> None:
    class Away(MemoryCatalog):
        is_away = True

        def put(self, definition: TableDefinition) -> None:
            if self.is_away:
                raise UnavailableError("The catalogue of tables is busy or cannot be reached. Try again.")
            super().put(definition)

    away = Away()
    scene.ports.catalog = away
    scene.upload(scene.dataset("adult"), CSV)
    scene.clock.advance(60)
    assert reconciler.run(scene.ports).faults == 1
    away.is_away = False
    assert reconciler.run(scene.ports).tables == 1
    assert len(away.tables) == 1


def test_a_deleted_dataset_takes_its_tables_with_it_and_no_others(scene: Scene) -> None:
    former = scene.dataset("adult")
    version = scene.upload(former, CSV)
    tables.ensure(scene.ports, version)
    datasets.delete(scene.ports, scene.principal, "adult")
    again = scene.upload(scene.dataset("adult"), CSV)
    tables.ensure(scene.ports, again)
    kept = scene.upload(scene.dataset("kept"), CSV)
    tables.ensure(scene.ports, kept)
    scene.clock.advance(120)
    assert datasets.purge_due(scene.ports) == 1
    found = {table.name.name: table.dataset_id for table in catalog_of(scene).tables.values()}
    assert found == {"kept_v1": kept.dataset_id, "adult_v1": again.dataset_id}
