"""What trials leave in the lake: a model at once, and its report when it has had its time as the best."""

from pathlib import Path

import optuna

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.studies import BestSoFar
from batch_jobs.runtime.environment import StudyPlace
from batch_jobs.search.archive import Archive
from batch_jobs.search.materials import Materials
from batch_jobs.search.running import TrialRunner
from batch_jobs.search.watching import Watch
from batch_jobs.train.exporting import Exported
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment

MODEL = {"model/model.onnx", "model/signature.json", "model/golden.json", "model/card.json"}


def _train(path: Path) -> Exported:
    values = [float(number % 20) for number in range(100)]
    columns = {"x": (ColumnType.NUMBER, values), "y": (ColumnType.NUMBER, [2 * value for value in values])}
    channels = {"train": write_channel(path / "data", columns, target="y")}
    spec = TrainSpec.model_validate({"dataset": "tiny", "algorithm": "linear"})
    environment = build_environment(path, channels, spec)
    runner = TrialRunner(environment, Materials(environment, Notes(RecordingReporter())))
    watch = Watch(optuna.create_study().ask(), None, on_step=lambda _: None)
    return runner.run(spec, watch, deadline=None).exported


def test_the_best_models_report_is_added_to_what_best_json_names(tmp_path: Path) -> None:
    ports, exported = MemoryPorts(), _train(tmp_path)
    place = StudyPlace(ports=ports, workspace_id="ws", study_id="std", client=None, table="studies")
    archive = Archive(place, tmp_path / "scratch")

    def named() -> set[str]:
        archive.publish_best(lambda: 3)
        best = BestSoFar.model_validate_json(ports.lake.get(keys.study_best("ws", "std")))
        for artifact in best.artifacts:
            found = ports.lake.head(keys.study_trial("ws", "std", 3, artifact.name))
            assert found is not None
            assert found.num_bytes == artifact.num_bytes
        return {artifact.name for artifact in best.artifacts if artifact.name.startswith("model/")}

    archive.keep(3, exported, [0.5])
    assert named() == MODEL
    archive.report(3, exported)
    assert named() == MODEL | {"model/report.html", "model/report.json"}


def test_a_study_without_a_registry_draws_no_reports(tmp_path: Path) -> None:
    archive = Archive(None, tmp_path / "scratch")
    exported = _train(tmp_path)
    archive.keep(0, exported, [0.5])
    archive.report(0, exported)
    assert not list((tmp_path / "scratch").rglob("report.html"))


def test_models_are_compared_before_any_is_loaded(tmp_path: Path) -> None:
    ports, exported = MemoryPorts(), _train(tmp_path)
    place = StudyPlace(ports=ports, workspace_id="ws", study_id="std", client=None, table="studies")
    archive = Archive(place, tmp_path / "scratch")
    for number in (5, 3):
        archive.keep(number, exported, [0.5])

    loaded = archive.load(3, exported.train_spec, exported.validated)
    assert loaded is not None
    assert loaded.model == exported.model
    ports.lake.delete(keys.study_trial("ws", "std", 3, "model/model.onnx"))
    kept = archive.find_kept([3, 4, 5])
    assert list(kept) == [3, 5]
    for each in kept.values():
        assert each.signature == exported.signature
        assert (each.scores == exported.validation_scores).all()
    assert archive.load(3, exported.train_spec, exported.validated) is None
