"""The portfolio: its file holds what can be trained, and the script that made it makes it again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from aimass_core.domain.study_specs import Candidate
from aimass_core.domain.training import TrainSpec
from batch_jobs.search.portfolio import algorithms, configurations, load_portfolio
from batch_jobs.search.portfolio.build import COSTS, Settings, build
from batch_jobs.search.portfolio.by_hand import BY_HAND
from batch_jobs.search.portfolio.data_sets import TARGET, DataSet, load_built_in, load_folder
from batch_jobs.search.portfolio.evaluation import draw_configurations
from batch_jobs.search.space import StudySpace

TASKS = (Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION)
EVERY = [(kind, task) for kind in DataKind for task in TASKS] + [(DataKind.SERIES, Task.FORECASTING)]
SIZE = {"num_rows": 5_000, "num_columns": 20}
QUICK = Settings(num_configurations=2, max_rows=120, size=4)


def _data_sets() -> list[DataSet]:
    rng = np.random.default_rng(0)
    x, colour = rng.normal(size=200), rng.choice(["red", "green", "blue"], 200)
    signal = x + (colour == "red") + rng.normal(0, 0.3, 200)
    frame = pd.DataFrame({"x": x, "colour": colour, TARGET: signal})
    frame.loc[::9, "x"] = np.nan
    classes = frame.assign(**{TARGET: np.where(signal > 0, "high", "low")})
    return [
        DataSet(name="values", task=Task.REGRESSION, frame=frame),
        DataSet(name="classes", task=Task.BINARY, frame=classes),
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def built(cache: Path) -> str:
    return build(_data_sets(), QUICK, cache=cache).model_dump_json()


def test_a_rerun_writes_the_same_file(built: str, cache: Path) -> None:
    (cache / "classes.json").unlink()
    assert build(_data_sets(), QUICK, cache=cache).model_dump_json() == built


def test_what_was_measured_is_not_measured_again_unless_it_changed(built: str, cache: Path) -> None:
    stored = {path.name: path.read_bytes() for path in cache.iterdir()}
    assert set(stored) == {"values.json", "classes.json"}
    values, classes = _data_sets()
    changed = DataSet(name="values", task=values.task, frame=values.frame.assign(x=values.frame["x"] ** 2))
    again = build([changed, classes], QUICK, cache=cache)
    assert (cache / "classes.json").read_bytes() == stored["classes.json"]
    assert (cache / "values.json").read_bytes() != stored["values.json"]
    assert again.data_sets[1].model_dump_json() in built
    assert again.data_sets[0].model_dump_json() not in built


def test_the_committed_file_is_what_its_script_writes_today() -> None:
    """As far as it can be known without measuring anew: draws, data sets, what is ordered by hand."""
    portfolio = load_portfolio()
    drawn = {
        str(each)
        for algorithm in COSTS
        for each in draw_configurations(algorithm, portfolio.num_configurations, seed=portfolio.seed)
    }
    measured = [group for group in portfolio.groups if group.is_measured]
    assert [group.tasks[-1] for group in measured] == [Task.MULTILABEL, Task.REGRESSION]
    for group in measured:
        for entry in group.configurations:
            assert f"Configuration(algorithm={entry.algorithm!r}, hyperparameters={entry.hyperparameters})" in drawn
    assert [group for group in portfolio.groups if not group.is_measured] == list(BY_HAND)
    known = {each.name: each for each in portfolio.data_sets}
    for data in load_built_in():
        sample = data.sample(portfolio.max_rows, seed=portfolio.seed)
        assert (known[data.name].task, known[data.name].num_rows) == (data.task, len(sample.frame))


@pytest.mark.parametrize(("kind", "task"), EVERY)
def test_every_configuration_can_be_trained_and_enqueued(kind: DataKind, task: Task) -> None:
    tried = configurations(kind, task, **SIZE)
    names = algorithms(kind, task, **SIZE)
    assert set(names) == {
        name for name, spec in registry.load_all().items() if kind in spec.kinds and task in spec.tasks
    }
    space = StudySpace([Candidate(algorithm=name) for name in names])
    for algorithm, hyperparameters in tried:
        horizon = 12 if task is Task.FORECASTING else None
        TrainSpec(dataset="d", algorithm=algorithm, hyperparameters=hyperparameters, task=task, horizon=horizon).check()
        params = space.to_params(Candidate(algorithm=algorithm), hyperparameters)
        prefix = "" if len(names) == 1 else f"{algorithm}."
        assert set(hyperparameters) <= {name.removeprefix(prefix) for name in params}
    assert len({str(each) for each in tried}) == len(tried)


def test_regrets_fall_along_the_list() -> None:
    for group in load_portfolio().groups:
        if group.is_measured:
            seen = [entry.regret for entry in group.configurations if entry.regret is not None]
            assert seen == sorted(seen, reverse=True)
            assert len(seen) >= 8


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.REGRESSION])
def test_catboost_is_among_the_first_of_small_tables_and_not_of_large_ones(task: Task) -> None:
    small, large = (
        [each.algorithm for each in configurations(DataKind.TABLE, task, num_rows=num_rows, num_columns=20)]
        for num_rows in (1_000, 20_000)
    )
    assert small.index("catboost") < 4
    assert large.index("catboost") >= 3


def test_forests_are_not_grown_on_large_tables() -> None:
    large = algorithms(DataKind.TABLE, Task.BINARY, num_rows=1_000_000, num_columns=50)
    assert "random_forest" not in large
    assert "lightgbm" in large


def test_a_manifest_names_tables_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tables.csv").write_text("name,file,target,task,drop\nhouses,a/b.csv,price,regression,id\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.csv").write_text('"","id","rooms","price","kind"\n1,7,3,10.5,"flat"\n2,8,,12,"house"\n')
    (data,) = load_folder(tmp_path, tmp_path / "tables.csv")
    assert (data.name, data.task, list(data.frame)) == ("houses", Task.REGRESSION, ["rooms", TARGET, "kind"])
    channel = data.to_channel("train", [0, 1])
    assert channel.table.to_pydict() == {"rooms": [3.0, None], TARGET: [10.5, 12.0], "kind": ["flat", "house"]}
    assert {column.name: column.type for column in channel.schema.columns}["kind"] == "string"
