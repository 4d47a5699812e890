"""The SDK over the real authorizer and handlers: what it sends is what the API takes, and the other way round."""

from pathlib import Path
from typing import Any

import pytest

import aimass
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.distributions import IntDistribution
from aimass_core.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    StaleRevisionError,
    UnauthenticatedError,
)
from tests.factories.platform import add_dataset, add_version, make_model
from tests.functional import study_jobs
from tests.functional.gateway import Api
from tests.functional.transport import InProcessTransport

URL = "http://aimass.test"


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> aimass.Client:
    return aimass.Client(transport=transport, api_key=api.token, base_url=URL)


def test_whoami_and_system_tell_where_the_drop_folder_is(client: aimass.Client) -> None:
    principal = client.system.whoami()
    system = client.system.get()
    assert principal.workspace_id == system.workspace_id
    assert system.drop_folder.prefix == f"drop/{principal.workspace_name}/"


def test_algorithms_have_schemas(client: aimass.Client) -> None:
    found = {info.name: info for info in client.algorithms.list()}
    assert set(found) >= {
        "xgboost",
        "lightgbm",
        "catboost",
        "random_forest",
        "linear",
        "mlp",
        "cnn",
        "rnn",
        "fcn",
        "nlinear",
    }
    assert "max_depth" in found["xgboost"].hyperparameters["properties"]  # type: ignore[operator]


def test_key_is_shown_once_works_and_ends_with_its_revocation(
    client: aimass.Client, transport: InProcessTransport
) -> None:
    created = client.api_keys.create("viewer", role="viewer")
    viewer = aimass.Client(transport=transport, api_key=created.secret, base_url=URL)
    assert viewer.system.whoami().role == "viewer"
    assert not hasattr(client.api_keys.get(created.id), "secret")
    with pytest.raises(PermissionDeniedError, match="role"):
        viewer.datasets.create("mine")
    client.api_keys.revoke(created.id)
    with pytest.raises(UnauthenticatedError):
        viewer.system.whoami()


def test_lists_are_read_page_by_page(client: aimass.Client) -> None:
    for number in range(25):
        client.datasets.create(f"data-{number:02d}")
    names = [dataset.name for dataset in client.datasets.list()]
    assert names == [f"data-{number:02d}" for number in reversed(range(25))]


def test_update_with_a_stale_revision_is_refused(client: aimass.Client) -> None:
    dataset = client.datasets.create("data")
    changed = client.datasets.update(dataset, description="one")
    assert changed.revision == dataset.revision + 1
    with pytest.raises(StaleRevisionError):
        client.datasets.update(dataset, description="two")
    assert client.datasets.get("data").description == "one"


def test_names_and_errors_of_the_server_come_back_as_classes(client: aimass.Client) -> None:
    client.datasets.create("data")
    with pytest.raises(AlreadyExistsError, match="data"):
        client.datasets.create("data")
    with pytest.raises(NotFoundError, match="nothing"):
        client.datasets.get("nothing")
    with pytest.raises(InvalidRequestError) as caught:
        client.http.request("POST", "/v1/jobs", body={"spec": {"dataset": "data", "algorithm": "magic"}})
    assert any("algorithm" in detail.location for detail in caught.value.details)


def test_every_change_is_in_the_audit_trail(client: aimass.Client) -> None:
    dataset = client.datasets.create("data")
    entry = client.audit.list().first()
    assert entry is not None
    assert (entry.action, entry.target_id) == ("dataset.create", dataset.id)
    assert entry.created_by == client.system.whoami().actor


def test_study_has_trials_best_figures_and_a_leaderboard(client: aimass.Client, api: Api, tmp_path: Path) -> None:
    owner = Principal(workspace_id=api.workspace.id, workspace_name="team", actor="key_test", role=Role.ADMIN)
    add_version(api.ports, owner, add_dataset(api.ports, owner))
    space = {"max_depth": IntDistribution(type="int", low=2, high=8)}
    job = client.jobs.search("adult", algorithm="xgboost", space=space, study="mine", max_trials=5)
    study = job.study()
    assert (study.name, study.job_ids, study.status) == ("mine", [job.id], "SUBMITTED")
    assert list(study.trials()) == []
    for absent in (lambda: study.best, study.leaderboard, study.plot):
        with pytest.raises(NotFoundError, match="mine"):
            absent()
    running = study_jobs.start(api, job.id)
    left = study_jobs.add_trials(api.ports, running)

    assert list(client.studies.trials("mine")) == left
    assert (study.best.trial, study.best.metrics) == (1, {"roc_auc": 0.93})
    saved = study.best.download(tmp_path / "best")
    assert (tmp_path / "best" / "model.onnx").read_bytes() == b"onnx"
    assert len(saved) == len(study.best.artifacts)
    with pytest.raises(ConflictError, match=job.id):
        study.resume(max_trials=9)
    study_jobs.succeed(api, running)

    assert study.leaderboard() == study_jobs.LEADERBOARD
    assert study.figures()["history"]["layout"]["title"]["text"] == "History"
    assert study.plot(tmp_path / "mine.html").read_bytes() == study_jobs.PAGE
    assert job.refresh().plot(tmp_path / "of-the-job.html").read_bytes() == study_jobs.PAGE
    assert study.refresh().status == "SUCCEEDED"
    again = study.resume(max_seconds=600, max_trials=9, num_workers=2)
    assert (again.study_id, again.spec.kind, again.max_seconds) == (study.id, "search", 600)
    assert [found.id for found in client.studies.list()] == [study.id]
    again.stop()
    client.studies.delete("mine")
    with pytest.raises(NotFoundError, match="mine"):
        client.studies.get("mine")


def test_autotrain_has_a_study_and_a_training_has_none(client: aimass.Client, api: Api) -> None:
    owner = Principal(workspace_id=api.workspace.id, workspace_name="team", actor="key_test", role=Role.ADMIN)
    add_version(api.ports, owner, add_dataset(api.ports, owner))
    job = client.jobs.autotrain("adult", preset="fast", max_seconds=60)
    assert job.study().name.startswith("adult-")
    with pytest.raises(NotFoundError, match="kind train"):
        client.jobs.train("adult", algorithm="xgboost").study()


def test_estimate_is_of_a_training_or_a_study_and_submits_nothing(client: aimass.Client, api: Api) -> None:
    owner = Principal(workspace_id=api.workspace.id, workspace_name="x", actor="key_test", role=Role.ADMIN)
    add_version(api.ports, owner, add_dataset(api.ports, owner))
    arguments: list[dict[str, Any]] = [
        {"algorithm": "xgboost"},
        {"kind": "search", "algorithm": "xgboost", "max_trials": 10},
        {"kind": "autotrain", "preset": "fast"},
    ]
    for each in arguments:
        found = client.jobs.estimate("adult", max_seconds=600, **each)
        assert found.seconds is not None
        assert found.seconds.expected <= found.max_seconds == 600
    make_model(api.ports, owner, model=b"one")
    make_model(api.ports, owner, model=b"two")
    before = list(client.jobs.list())
    models: list[tuple[Any, dict[str, Any]]] = [
        ("adult@1", {"kind": "compress", "max_model_bytes": 1000, "data": "adult"}),
        (["adult@1", "adult@2"], {"kind": "fuse", "data": "adult"}),
        ("adult", {"kind": "decompose", "method": "tree"}),
    ]
    seconds = []
    for what, each in models:
        found = client.jobs.estimate(what, max_seconds=3600, **each)
        assert found.seconds is not None
        assert found.memory_mib is not None
        assert found.seconds.low < found.seconds.expected <= found.seconds.high <= 3600
        seconds.append(found.seconds.expected)
    assert seconds[1] < seconds[0] == seconds[2] == 3600
    with pytest.raises(InvalidRequestError, match=r"'script' are not estimated\. Kinds: train, search, autotrain"):
        client.jobs.estimate("adult", kind="script")
    assert list(client.jobs.list()) == before
