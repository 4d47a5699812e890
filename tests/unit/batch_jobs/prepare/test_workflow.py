"""A prepare job on a version of a workspace in memory."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from aimass_core.domain.recipes import Preparation, PrepareSpec
from aimass_core.domain.schemas import DatasetKind, ImageShape
from aimass_core.errors import InvalidDataError
from aimass_core.services import datasets, job_channels, jobs, quarantine
from batch_jobs.prepare.workflow import DOCUMENT, prepare
from batch_jobs.runtime.storage.channels import download_channels
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.core.services.ingest.scene import Scene, types

CSV = b'id,price,city\n1,"1,50",Bonn\n2,much,Bonn \n3,"2,00",\n4,"0,10",Kiel\n4,"0,10",Kiel\n' + b"".join(
    f'{index},"{index},00",Ulm\n'.encode() for index in range(10, 50)
)
STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "parse", "columns": ["price"], "to": "number", "decimal": ","},
    {"do": "dedupe"},
]


PICTURES = tuple(enumerate("aabbc"))


def picture(color: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), color).save(buffer, "PNG")
    return buffer.getvalue()


def to_zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()


class Workshop:
    """Uploads data, and runs prepare jobs of it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.scene, self.reporter = folder, Scene(), RecordingReporter()
        self.scene.upload(self.scene.dataset("prices"), CSV)

    def run(self, *steps: dict[str, Any], attempt: int = 1, job: str = "job_1", **fields: Any) -> Preparation:
        scene, base = self.scene, self.folder / f"{job}-{attempt}"
        spec = PrepareSpec.model_validate({"dataset": "prices", "recipe": {"steps": steps}, **fields})
        workspace_id = scene.principal.workspace_id
        channels = job_channels.resolve(scene.ports, workspace_id, spec)
        config = jobs.to_input_data_config(workspace_id, {each.name: each.to_pin() for each in channels})
        folders = download_channels(scene.ports.lake, config, base / "channels")
        environment = build_environment(base, folders, spec, job=job, dataset="prices@1", memory_bytes=2 * 1024**3)
        self.metrics = prepare(scene.ports, workspace_id, spec, environment, self.reporter)
        return Preparation.model_validate_json((environment.output_path / DOCUMENT).read_bytes())

    def rows(self, name: str, number: int = 1) -> list[dict[str, Any]]:
        version = self.scene.version(datasets.get(self.scene.ports, self.scene.principal, name), number)
        return self.scene.rows(version)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_recipe_makes_a_version_that_is_typed_profiled_and_has_a_quarantine(workshop: Workshop) -> None:
    found = workshop.run(*STEPS)
    assert [(step.do, step.num_rows_in, step.num_rows_out, step.num_quarantined) for step in found.steps] == [
        ("trim", 45, 45, 0),
        ("parse", 45, 44, 1),
        ("dedupe", 44, 43, 0),
    ]
    [made] = found.outputs
    assert (made.dataset_name, made.number, made.num_rows) == ("prices-prepared", 1, 43)
    assert workshop.metrics == {"num_rows_in": 45.0, "num_rows_out": 43.0, "num_quarantined": 1.0}
    scene = workshop.scene
    dataset = datasets.get(scene.ports, scene.principal, "prices-prepared")
    version = scene.version(dataset, 1)
    assert types(version) == {"id": "integer", "price": "number", "city": "string"}
    assert (version.num_quarantined, dataset.latest_version) == (1, 1)
    [kept], _ = quarantine.list_rows(scene.ports, scene.principal, "prices-prepared", 1, limit=5)
    assert (kept.file, kept.line, kept.column) == ("prices@1", 2, "price")
    assert kept.text == '{"id":2,"price":"much","city":"Bonn"}'
    assert scene.rows(version)[:2] == [{"id": 1, "price": 1.5, "city": "Bonn"}, {"id": 3, "price": 2.0, "city": None}]


def test_b2_a_later_attempt_delivers_no_second_version(workshop: Workshop) -> None:
    first = workshop.run(*STEPS)
    assert workshop.run(*STEPS, attempt=2) == first
    assert workshop.run(*STEPS, job="job_2").outputs[0].number == 2


def test_append_adds_to_the_latest_version(workshop: Workshop) -> None:
    workshop.run(*STEPS, output="all")
    workshop.run(*STEPS, {"do": "filter", "where": "id < 4"}, output="all", mode="append", job="job_2")
    assert len(workshop.rows("all", 2)) == 43 + 2


def test_a_split_writes_a_dataset_for_each_part(workshop: Workshop) -> None:
    split = {"do": "split", "parts": {"train": 0.8, "test": 0.2}}
    found = workshop.run(*STEPS, split)
    names = [(made.part, made.dataset_name) for made in found.outputs]
    assert names == [("train", "prices-prepared-train"), ("test", "prices-prepared-test")]
    ids = [row["id"] for _, name in names for row in workshop.rows(name)]
    assert sorted(ids) == [1, 3, 4, *range(10, 50)]


def test_a_recipe_that_leaves_nothing_says_at_which_step(workshop: Workshop) -> None:
    with pytest.raises(InvalidDataError, match=r"No row is left for the dataset, after step 2 \(filter\)"):
        workshop.run({"do": "trim"}, {"do": "filter", "where": "id > 1000"}, {"do": "dedupe"})


def test_images_and_series_come_through_as_what_they_are(workshop: Workshop) -> None:
    scene = workshop.scene
    scene.upload(scene.dataset("signs"), to_zip({f"{label}/{index}.png": picture(index) for index, label in PICTURES}))
    resize = {"do": "images", "width": 4, "height": 3}
    made = workshop.run({"do": "filter", "where": "label <> 'c'"}, resize, dataset="signs", output="small").outputs[0]
    version = scene.version(datasets.get(scene.ports, scene.principal, "small"), made.number)
    assert version.kind is DatasetKind.IMAGES
    assert version.data_schema is not None
    assert version.data_schema.image_shape == ImageShape(height=3, width=4, channels=1)
    series = b'{"s": [1, 2.5, null], "y": "a"}\n{"s": [3, 4], "y": " b"}\n'
    scene.upload(scene.dataset("waves"), series, name="waves.jsonl")
    workshop.run({"do": "trim"}, dataset="waves", job="job_2")
    assert workshop.rows("waves-prepared") == [{"s": [1.0, 2.5, None], "y": "a"}, {"s": [3.0, 4.0], "y": "b"}]


def test_a_key_with_several_partners_is_named_by_its_dataset(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.scene.upload(workshop.scene.dataset("cities"), b"city,size\nBonn,1\nBonn,2\nKiel,3\n")
    with pytest.raises(InvalidDataError, match="'Bonn' comes 2 times in cities"):
        workshop.run({"do": "join", "dataset": "cities", "keys": ["city"]})
