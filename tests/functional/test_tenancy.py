"""Every operation with what another workspace owns: it is not there, and nothing tells it from what never was."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryRegistry
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.ports import Row, RowPage
from aimass_core.services import notifications, predictions
from functions.api.app import OPERATIONS
from functions.api.routing import Operation
from tests.factories.platform import add_dataset, add_version
from tests.functional.gateway import Answer, Api, Gateway, open_api
from tests.functional.test_jobs import run_to_end

CROWN_HOOK = {"type": "webhook", "url": "https://crown.example/hook"}
UPLOAD = {"file_name": "crown-jewels.csv", "num_bytes": 3, "sha256": "0" * 64}
BODIES: dict[str, dict[str, Any]] = {
    "update_workspace": {"description": "mine"},
    "rotate_api_key": {},
    "update_user": {"role": "viewer"},
    "export_workspace": {},
    "create_workspace_archive": {"sha256": "0" * 64, "num_bytes": 1},
    "import_workspace": {"archive": "0" * 64},
    "delete_workspace": {"confirm": "team"},
    "update_dataset": {"description": "mine"},
    "preview_dataset": {"recipe": {"steps": [{"do": "trim"}]}},
    "create_upload": UPLOAD,
    "query_dataset": {"sql": "select count(*) from data"},
    "update_model": {"description": "mine"},
    "decide_model_version": {"decision": "approved"},
    "update_endpoint": {"model": "crown@1"},
    "revert_endpoint": {},
    "set_endpoint_truth": {"dataset": "crown", "key": "id"},
    "set_endpoint_alarms": {"max_p95_ms": 1},
    "export_captures": {"dataset": "mine"},
    "update_source": {"description": "mine"},
    "set_source_secret": {"value": "mine"},
    "grant_source": {"verb": "edit"},
    "grant_dataset": {"verb": "read"},
    "grant_model": {"verb": "read"},
    "grant_endpoint": {"verb": "read"},
    "run_source": {},
    "update_trigger": {"status": "PAUSED"},
    "update_notification_channel": {"description": "mine"},
    "update_notification_rule": {"is_active": False},
    "update_report_plan": {"days": 1},
    "replay_quarantine": {"rows": [{"position": 0, "values": {"age": 1}}]},
}
# What a caller names in the body instead of the path.
BY_BODY: dict[str, dict[str, Any]] = {
    "create_job": {"spec": {"dataset": "crown", "algorithm": "xgboost"}},
    "create_endpoint": {"model": "crown"},
    "create_trigger": {
        "name": "crown",
        "dataset": "crown",
        "job": {"spec": {"kind": "train", "dataset": "crown", "algorithm": "xgboost"}},
    },
    "create_query": {"sql": "select * from crown"},
    "create_report": {"model": "crown"},
    "create_report_plan": {"name": "mine", "model": "crown"},
}
# Every workspace has settings of each subsystem, and no address names another one's.
BY_PATH = [operation for operation in OPERATIONS if "<" in operation.path and "<subsystem>" not in operation.path]


class _Counting(MemoryRegistry):
    """Counts reads: an answer that needs as many as another takes as long."""

    num_reads = 0

    def get(self, key: keys.RowKey) -> Row | None:
        """See Registry."""
        self.num_reads += 1
        return super().get(key)

    def query(self, partition: str, prefix: str, **options: Any) -> RowPage:
        """See Registry."""
        self.num_reads += 1
        return super().query(partition, prefix, **options)


@pytest.fixture
def gateway() -> Gateway:
    made = Gateway()
    made.ports.registry = _Counting()
    return made


@pytest.fixture
def owner(gateway: Gateway) -> Iterator[tuple[Api, dict[str, str]]]:
    """A workspace that has one of everything, and the ids."""
    api = open_api(gateway, name="crown-office")
    principal = Principal(
        workspace_id=api.workspace.id, workspace_name="crown-office", actor=new_id("key"), role=Role.ADMIN
    )
    dataset = add_dataset(api.ports, principal, name="crown")
    add_version(api.ports, principal, dataset)
    job = run_to_end(api, api.post("/v1/jobs", BY_BODY["create_job"]).json)
    endpoint = api.post("/v1/endpoints", BY_BODY["create_endpoint"]).json
    search = {"kind": "search", "dataset": "crown", "study": "crown", "candidates": [{"algorithm": "xgboost"}]}
    searching = api.post("/v1/jobs", {"spec": search}).json
    upload = api.post(f"/v1/datasets/{dataset.id}/uploads", UPLOAD).json
    source = api.post("/v1/sources", {"name": "crown", "collector": {"type": "webhook"}}).json
    granted = api.as_stranger().workspace.id
    assert api.request("PUT", f"/v1/sources/{source['id']}/grants/{granted}", json={"verb": "edit"}).status == 200
    trigger = api.post("/v1/triggers", BY_BODY["create_trigger"]).json
    query = api.post("/v1/query", BY_BODY["create_query"]).json
    prediction = predictions.save_request(api.ports, principal, api.ports.new_id("pr"), {"path": "/v1/x"}, b"crown")
    channel = api.post("/v1/notification-channels", {"name": "crown", "target": CROWN_HOOK}).json
    rule = api.post("/v1/notification-rules", {"name": "crown", "events": ["*"], "channels": ["crown"]}).json
    delivery = api.post("/v1/notification-channels/crown/test").json
    report = api.post("/v1/reports", {"model": "crown"}).json
    plan = api.post("/v1/report-plans", {"name": "crown"}).json
    subject = Subject(resource="job", id=job["id"], name="crown")
    told = notifications.tell_once(
        api.ports, api.workspace.id, NotificationType.JOB_FAILED, subject, told="crown", title="crown"
    )
    assert told is not None
    ids = {
        "notification": told.id,
        "notification_channel": channel["id"],
        "notification_rule": rule["id"],
        "notification_delivery": delivery["id"],
        "report": report["id"],
        "report_plan": plan["id"],
        "prediction": prediction.id,
        "workspace": api.workspace.id,
        "api_key": api.get("/v1/me").json["actor"],
        "user": api.post("/v1/users", {"email": "crown@example.com", "role": "viewer"}).json["id"],
        "dataset": dataset.id,
        "upload": upload["id"],
        "job": job["id"],
        "model": job["model_version"]["model_id"],
        "endpoint": endpoint["id"],
        "study": searching["study_id"],
        "source": source["id"],
        "grantee": granted,
        "secret": "token",
        "trigger": trigger["id"],
        "query": query["id"],
        # Its queues are the installation's: whose letters are whose, test_dead_letters.py shows.
        "queue": "no-queue",
        "number": "1",
    }
    before = _everything(api)
    yield api, ids
    assert _everything(api) == before, "nothing of it was changed"


def _everything(api: Api) -> dict[keys.RowKey, Row]:
    partition = keys.partition(api.workspace.id)
    return {row.key: row for row in api.ports.registry.query(partition, "", limit=10_000).rows}


def _send(api: Api, operation: Operation, ids: dict[str, str]) -> Answer:
    path = re.sub(r"<(\w+)>", lambda match: ids[match[1]], operation.path)
    headers: dict[str, str | list[str]] = {"If-Match": '"1"'} if operation.needs_revision else {}
    return api.request(operation.method, path, json=BODIES.get(operation.name), headers=headers)


@pytest.mark.parametrize("operation", BY_PATH, ids=lambda operation: operation.name)
def test_h2_what_another_workspace_owns_is_not_found(
    owner: tuple[Api, dict[str, str]], operation: Operation, capsys: pytest.CaptureFixture[str]
) -> None:
    api, ids = owner
    stranger = api.as_stranger()
    registry = api.ports.registry
    assert isinstance(registry, _Counting)
    nothing = {
        name: value if name in ("number", "secret") else new_id(value.partition("_")[0]) for name, value in ids.items()
    }
    capsys.readouterr()
    answers, num_reads = [], []
    for asked in (ids, nothing):
        registry.num_reads = 0
        answers.append(_send(stranger, operation, asked))
        num_reads.append(registry.num_reads)
    foreign, absent = answers
    assert (foreign.status, foreign.code) == (404, "not_found"), foreign.text
    assert num_reads[0] == num_reads[1], "it takes as long as what never was"
    assert _without(foreign, ids) == _without(absent, nothing)
    logged = capsys.readouterr().out
    assert "crown" not in logged
    assert {json.loads(line).get("workspace_id") for line in logged.splitlines()} <= {stranger.workspace.id}


@pytest.mark.parametrize("name", ["dataset", "model", "endpoint", "source"])
def test_h2_names_of_another_workspace_are_not_found(owner: tuple[Api, dict[str, str]], name: str) -> None:
    stranger = owner[0].as_stranger()
    assert stranger.get(f"/v1/{name}s/crown").code == "not_found"


@pytest.mark.parametrize("name", sorted(BY_BODY))
def test_h2_what_another_workspace_owns_cannot_be_used(owner: tuple[Api, dict[str, str]], name: str) -> None:
    stranger = owner[0].as_stranger()
    operation = next(operation for operation in OPERATIONS if operation.name == name)
    assert stranger.post(operation.path, BY_BODY[name]).code == "not_found"


def test_h2_job_of_another_workspace_cannot_be_waited_for(owner: tuple[Api, dict[str, str]]) -> None:
    api, ids = owner
    stranger = api.as_stranger()
    principal = Principal(workspace_id=stranger.workspace.id, workspace_name="s", actor=new_id("key"), role=Role.ADMIN)
    add_version(api.ports, principal, add_dataset(api.ports, principal, name="crown"))
    refused = stranger.post("/v1/jobs", {**BY_BODY["create_job"], "depends_on": [ids["job"]]})
    assert refused.code == "not_found"


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.name.startswith("list_") and "<" not in operation.path],
    ids=lambda operation: operation.name,
)
def test_h2_lists_show_only_ones_own(owner: tuple[Api, dict[str, str]], operation: Operation) -> None:
    api, ids = owner
    listed = api.as_stranger().get(operation.path).text
    # The owner's key has made the stranger's workspace, and may be named there.
    assert not [value for name, value in ids.items() if name not in ("number", "api_key", "secret") and value in listed]
    assert "crown" not in listed


def _without(answer: Answer, ids: dict[str, str]) -> str:
    text = json.dumps({**answer.json, "request_id": None})
    for name, value in ids.items():
        text = text.replace(value, name)
    return text
