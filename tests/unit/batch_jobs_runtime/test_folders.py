"""Where a container works, and what it was given to work with."""

from pathlib import Path

from batch_jobs.runtime import resources
from batch_jobs.runtime.storage import folders
from batch_jobs.runtime.storage.folders import resolve_folders


def test_base_dir_is_what_the_variable_says(tmp_path: Path) -> None:
    found = resolve_folders({"SAGEMAKER_BASE_DIR": str(tmp_path)}, is_batch=True, working_path=Path("/elsewhere"))
    assert found.model == tmp_path / "model"
    assert found.failure == tmp_path / "output" / "failure"


def test_sagemaker_works_in_opt_ml(tmp_path: Path) -> None:
    assert resolve_folders({}, is_batch=False, working_path=tmp_path).root == folders.SAGEMAKER_ROOT


def test_batch_without_opt_ml_works_in_its_own_directory(tmp_path: Path) -> None:
    expected = folders.SAGEMAKER_ROOT if folders.SAGEMAKER_ROOT.is_dir() else tmp_path / "ml"
    assert resolve_folders({}, is_batch=True, working_path=tmp_path).root == expected


def test_clearing_keeps_checkpoints(tmp_path: Path) -> None:
    found = folders.Folders(tmp_path)
    found.make()
    for path in (found.model, found.checkpoints):
        (path / "file").touch()
    found.clear()
    assert not (found.model / "file").exists()
    assert (found.checkpoints / "file").exists()


def test_processors_are_those_of_the_container() -> None:
    assert resources.count_cpus({"OMP_NUM_THREADS": "1"}) == 1
    assert resources.count_cpus({"OMP_NUM_THREADS": "100000"}) == resources.count_cpus({})
    assert resources.count_cpus({"OMP_NUM_THREADS": "many"}) >= 1


def test_accelerators_are_those_of_the_container(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "null"):
        (tmp_path / name).touch()
    assert resources.count_gpus({}, devices=tmp_path) == 2
    assert resources.count_gpus({"CUDA_VISIBLE_DEVICES": "3"}, devices=tmp_path) == 1
    assert resources.count_gpus({"CUDA_VISIBLE_DEVICES": ""}, devices=tmp_path) == 0


def test_native_threads_do_not_spin_and_what_is_set_stays() -> None:
    variables = {"OMP_NUM_THREADS": "1"}
    resources.settle_threads(variables)
    assert variables == {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    unset: dict[str, str] = {}
    resources.settle_threads(unset)
    assert unset["OMP_NUM_THREADS"] == str(resources.count_cpus({}))
