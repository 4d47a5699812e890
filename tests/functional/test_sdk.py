"""The SDK over the real authorizer and handlers: what it sends is what the API takes, and the other way round."""

import pytest

import aimass
from aimass_core.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    StaleRevisionError,
    UnauthenticatedError,
)
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
    assert set(found) >= {"xgboost", "lightgbm", "random_forest", "linear", "mlp", "cnn", "rnn", "fcn", "nlinear"}
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
