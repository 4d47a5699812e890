"""Sources through the API, the SDK and the command line."""

import json

import pytest

from aimass import Client
from aimass_core.errors import ConflictError, NotFoundError, PermissionDeniedError, StaleRevisionError
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.transport import InProcessTransport

CANARY = "canary-4f1d9c"
FILES = {"type": "files", "urls": ["https://data.example/orders.csv"]}


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> Client:
    return Client(transport=transport, api_key=str(api.token), base_url="http://aimass.test", max_retries=0)


def _client_of(api: Api, transport: InProcessTransport) -> Client:
    return Client(transport=transport, api_key=str(api.token), base_url="http://aimass.test", max_retries=0)


def test_source_lives_through_the_sdk(client: Client) -> None:
    source = client.sources.create(
        "orders", collector=FILES, policy={"schedule": "rate(1 hour)", "retention_days": 30}, purpose="sales"
    )
    assert (source.policy.retention_days, source.status, source.purpose) == (30, "ACTIVE", "sales")
    assert source.next_run_at is not None
    changed = client.sources.update(source, policy={"mode": "merge", "primary_key": ["id"]}, owner="team sales")
    assert (changed.policy.mode, changed.owner, changed.next_run_at) == ("merge", "team sales", None)
    with pytest.raises(StaleRevisionError):
        client.sources.update(source, owner="somebody else")
    assert [each.policy.schedule for each in client.sources.revisions("orders")] == ["rate(1 hour)"]
    job = changed.run(streams=["orders"])
    assert (job.kind, job.spec.model_dump()["source"]) == ("collect", source.id)
    with pytest.raises(ConflictError, match="is being read"):
        changed.run()
    assert [run.id for run in client.sources.runs("orders")] == [job.id]
    job.stop()
    client.sources.pause("orders")
    assert changed.refresh().status == "PAUSED"
    assert client.sources.resume("orders").status == "ACTIVE"
    assert client.sources.state("orders").streams == {}
    client.sources.reset("orders")
    client.sources.delete("orders")
    assert list(client.sources.list()) == []


def test_b11_secret_is_nowhere_but_in_its_store(
    api: Api, client: Client, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    client.sources.create("orders", collector=FILES)
    assert client.sources.set_secret("orders", "token", CANARY).secrets == ["token"]
    again = api.request("PUT", "/v1/sources/orders/secrets/token", json={"value": CANARY, "more": CANARY})
    too_long = api.request("PUT", "/v1/sources/orders/secrets/token", json={"value": CANARY * 1_000})
    bad_name = api.request("PUT", "/v1/sources/orders/secrets/a-b", json={"value": CANARY})
    assert (again.status, too_long.status, bad_name.status) == (422, 422, 404)
    answers = [again.text, too_long.text, bad_name.text]
    answers += [api.get(path).text for path in ("/v1/sources", "/v1/sources/orders", "/v1/audit")]
    answers += [api.get("/v1/sources/orders/revisions").text]
    answers += [repr([row.data for row in api.ports.registry.query(f"WS#{api.workspace.id}", "", limit=1000).rows])]
    answers += [api.gateway.store.dump(), capsys.readouterr().out]
    assert not [answer for answer in answers if CANARY in answer]
    assert list(api.ports.secrets.values.values()) == [CANARY]
    assert "source.secret.set" in api.get("/v1/audit").text
    assert run("sources", "secrets", "list", "orders").out == "token\n"
    client.sources.delete_secret("orders", "token")
    assert client.sources.get("orders").secrets == []
    assert api.ports.secrets.values == {}


def test_grant_opens_a_source_to_another_workspace(api: Api, client: Client, transport: InProcessTransport) -> None:
    source = client.sources.create("orders", collector=FILES)
    stranger = api.as_stranger()
    guest = _client_of(stranger, transport)
    with pytest.raises(NotFoundError):
        guest.sources.run(source.id)
    client.sources.grant("orders", stranger.workspace.id, "run")
    assert [(grant.grantee, grant.verb) for grant in client.sources.grants("orders")] == [
        (stranger.workspace.id, "run")
    ]
    assert [each.id for each in guest.sources.list(shared=True)] == [source.id]
    assert guest.sources.run(source.id).workspace_id == api.workspace.id
    with pytest.raises(PermissionDeniedError):
        guest.sources.set_secret(source.id, "token", "x")
    client.sources.revoke("orders", stranger.workspace.id)
    with pytest.raises(NotFoundError):
        guest.sources.get(source.id)
    actions = [entry.action for entry in client.audit.list()]
    assert [action for action in actions if action in ("source.grant", "source.revoke")] == [
        "source.revoke",
        "source.grant",
    ]


def test_bad_requests_name_field_and_remedy(api: Api) -> None:
    def refuse(**body: object) -> str:
        answer = api.post("/v1/sources", {"name": "orders", "collector": FILES, **body})
        assert answer.status == 422, answer.text
        return answer.text

    assert "policy" in refuse(policy={"mode": "merge"})
    assert "primary_key its columns" in refuse(policy={"mode": "history"})
    assert "schedule" in refuse(policy={"schedule": "every hour"})
    assert "cron(0 6 * * MON-FRI)" in refuse(policy={"schedule": "cron(0 6 * * ? *)"})
    assert "window" in refuse(policy={"window": "24:00-25:00"})
    assert "body.collector" in refuse(collector={"type": "gopher"})
    assert "urls" in refuse(collector={"type": "files", "urls": ["file:///etc/passwd"]})
    assert "not for webhooks" in refuse(collector={"type": "webhook"}, policy={"mode": "replace"})
    assert api.get("/v1/sources").json["items"] == []


def test_collector_of_a_package_needs_the_package(api: Api) -> None:
    collector = {"type": "python", "package": "0" * 64, "entry_point": "mine:orders"}
    answer = api.post("/v1/sources", {"name": "orders", "collector": collector})
    assert (answer.status, answer.code) == (409, "conflict")
    assert answer.json["errors"][0]["location"] == "body.collector.package"


def test_command_line_makes_runs_and_shares_a_source(run: Run, api: Api) -> None:
    made = run("sources", "create", "orders", "--url", "https://data.example/orders.csv", "--schedule", "rate(1 hour)")
    assert made.code == 0, made.err
    assert "Next: aimass sources run orders" in made.err
    assert "rate(1 hour)" in run("sources", "list").out
    assert run("sources", "run", "orders", "--detach").code == 0
    again = run("sources", "run", "orders", "--detach")
    assert again.code == 6
    assert "is being read" in again.err
    assert "collect" in run("sources", "runs", "orders").out
    assert run("sources", "pause", "orders").code == 0
    assert json.loads(run("sources", "show", "orders", "-o", "json").out)["status"] == "PAUSED"
    assert run("sources", "update", "orders", "--schedule", "cron(0 6 * * *)").code == 0
    assert json.loads(run("sources", "state", "orders").out) == {"streams": {}, "collector": {}}
    other = api.as_stranger().workspace.id
    assert run("sources", "grant", "orders", other, "read").code == 0
    assert other in run("sources", "grants", "orders").out
    assert run("sources", "revoke", "orders", other).code == 0
    assert run("sources", "create", "nothing").code == 2
    assert run("sources", "secrets", "set", "orders", "token", "--value", CANARY).code == 0
    assert CANARY not in run("sources", "show", "orders", "-o", "json").out


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"selected": 0}, "selected"),
        ({"endpoint": {"paginator": {"type": "offset", "limit": "10"}}}, "limit"),
    ],
)
def test_values_of_another_type_are_refused_and_not_guessed(api: Api, change: dict[str, object], where: str) -> None:
    config = {"client": {"base_url": "https://api.example"}, "resources": [{"name": "issues", **change}]}
    answer = api.request(
        "POST", "/v1/sources", json={"name": "issues", "collector": {"type": "rest", "config": config}}
    )
    assert answer.status == 422
    assert where in answer.text
    assert list(api.request("GET", "/v1/sources").json["items"]) == []
