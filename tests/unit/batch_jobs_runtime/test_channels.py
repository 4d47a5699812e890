"""Channels come whole and unchanged, or the job says what is wrong with them."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aimass_core.domain import keys
from aimass_core.errors import InvalidDataError
from aimass_core.services import jobs
from batch_jobs.runtime.storage import channels
from tests.unit.batch_jobs_runtime.workplace import Workplace, add_files, new_workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return new_workplace(tmp_path, num_files=3)


def download(workplace: Workplace) -> dict[str, Path]:
    sources = jobs.to_input_data_config(workplace.job.workspace_id, workplace.job.channels)
    return channels.download_channels(workplace.ports.lake, sources, workplace.folders.data)


def file_key(workplace: Workplace) -> str:
    return next(info.key for info in workplace.ports.lake.list("datasets/") if info.key.endswith(".parquet"))


def test_files_are_named_in_the_manifests_order(workplace: Workplace) -> None:
    folder = download(workplace)["train"]
    names = sorted(path.name for path in folder.glob("*.parquet"))
    assert names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert [pq.read_table(folder / name).column("age").to_pylist() for name in names] == [[0], [1], [2]]


@pytest.mark.parametrize(("allowed", "is_left"), [(-1, True), (0, False)])
def test_what_is_larger_than_the_job_wants_stays_in_the_lake(
    workplace: Workplace, allowed: int, *, is_left: bool
) -> None:
    sources = jobs.to_input_data_config(workplace.job.workspace_id, workplace.job.channels)
    lake = workplace.ports.lake
    num_bytes = sum(info.num_bytes for info in lake.list("datasets/") if info.key.endswith(".parquet"))
    folder = channels.download_channels(lake, sources, workplace.folders.data, leave_above_bytes=num_bytes + allowed)[
        "train"
    ]
    left = channels.find_left(folder)
    assert (left is not None) is is_left
    if left:
        assert list(folder.glob("*.parquet")) == []
        assert [pq.read_table(io.BytesIO(lake.get(key))).column("age").to_pylist() for key in left] == [[0], [1], [2]]
        assert (folder / "schema.json").exists()


def test_damaged_file_is_refused(workplace: Workplace) -> None:
    key = file_key(workplace)
    body = bytearray(workplace.ports.lake.get(key))
    body[10] ^= 1
    workplace.ports.lake.put(key, bytes(body))
    with pytest.raises(InvalidDataError, match="is damaged"):
        download(workplace)


def test_missing_file_is_refused(workplace: Workplace) -> None:
    workplace.ports.lake.delete(file_key(workplace))
    with pytest.raises(InvalidDataError, match="is gone"):
        download(workplace)


def test_another_version_in_its_place_is_refused(workplace: Workplace) -> None:
    pin = workplace.job.channels["train"]
    add_files(workplace.ports, workplace.job.workspace_id, pin.dataset_id, num_files=1)
    with pytest.raises(InvalidDataError, match="is not the one that the job was given"):
        download(workplace)


def test_missing_version_is_refused(workplace: Workplace) -> None:
    pin = workplace.job.channels["train"]
    workplace.ports.lake.delete(
        keys.dataset_version_object(workplace.job.workspace_id, pin.dataset_id, pin.number, "manifest.json")
    )
    with pytest.raises(InvalidDataError, match="dataset version of the channel 'train' is gone"):
        download(workplace)
