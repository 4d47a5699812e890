"""Every function does its work with the role that the template gives it, and nothing of that role is idle."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

import aimass
from aimass_core.domain.notification_channels import DeliveryStatus
from aimass_local import lifecycle
from aimass_local.environment import DataDirectory
from tests.e2e.webhooks import send_webhook, tick
from tests.mutations import STACKS, find_noticed, list_mutations
from tests.ports import free_port
from tests.stack import Stack, wait_until, write_loans
from tests.targets import skip_unless_local

# Of all policy statements those that some test needs.
ENOUGH = 0.95
SERVER = Path(__file__).with_name("enforcing_server.py")
FUNCTIONS = (
    "Api",
    "Authorizer",
    "CollectorsTick",
    "Dispatch",
    "Ingest",
    "JobEvents",
    "Notifications",
    "Predictions",
    "Previews",
    "Reconciler",
    "Webhooks",
)
# What the emulator, our Batch and our SageMaker let pass without a look, or do themselves in a function's name.
UNCHECKED = {
    "batch:DescribeJobs",
    "batch:SubmitJob",
    "batch:TerminateJob",
    "sagemaker:CreateEndpoint",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateModel",
    "sagemaker:CreateTrainingJob",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:InvokeEndpoint",
    "sagemaker:ListEndpoints",
    "sagemaker:ListTrainingJobs",
    "sagemaker:StopTrainingJob",
    "iam:PassRole",
    "dynamodb:GetRecords",
    "logs:PutLogEvents",
    "sqs:GetQueueUrl",
}
# What this day's work has no need of: (role, action, end of the resource).
UNUSED_TODAY = {
    # Without it S3 answers 403 instead of 404 for what is absent.
    *((role, "s3:ListBucket", "") for role in FUNCTIONS),
    ("Dispatch", "s3:GetObject", "/models/*"),
    # No trigger fires.
    ("Dispatch", "s3:GetObject", "/datasets/*"),
    ("Dispatch", "s3:GetObject", "/sources/*"),
    # No fusion is served with its members apart.
    ("Predictions", "lambda:InvokeFunction", ""),
    # No job runs on SageMaker that day, and none runs a script.
    ("Api", "logs:GetLogEvents", ":log-group:/aws/sagemaker/TrainingJobs"),
    ("Api", "s3:PutObject", "/sources/*"),
    ("Api", "s3:GetObject", "/sources/*"),
    # Where ingest hears of an upload before its client has said that it is complete, ingest goes on by itself.
    ("Api", "sqs:SendMessage", ""),
    # The local API Gateway does not say its own name, of which the link in the mail of an invitation is made.
    ("Api", "ses:SendEmail", "@localhost.localdomain"),
    # Athena asks it in its caller's name; the emulator's does not.
    ("Api", "s3:GetBucketLocation", ""),
    # No query lasts so long, and what is deleted keeps its tables for a minute.
    ("Reconciler", "athena:StopQueryExecution", ""),
    ("Reconciler", "glue:DeleteTable", ""),
    # No source has a secret when the workspace is deleted.
    ("Reconciler", "secretsmanager:DeleteSecret", ""),
    # It does the others' work where they have failed.
    ("Reconciler", "s3:GetObject", ""),
    ("Reconciler", "s3:PutObject", ""),
    ("Reconciler", "s3:DeleteObject", ""),
    ("Reconciler", "lambda:InvokeFunction", ""),
    ("Reconciler", "sqs:SendMessage", ""),
    ("Reconciler", "dynamodb:PutItem", ""),
    # No entry of the audit trail is old enough to be sealed.
    *((role, "secretsmanager:GetSecretValue", ":secret:aimass/audit-signing-??????") for role in ("Api", "Reconciler")),
    # Lambda does so in their name, the emulator in its own.
    *((role, "sqs:SendMessage", "-dead-letters") for role in ("Dispatch", "JobEvents")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcing:
    """A stack whose emulator enforces roles, and what it decided."""

    stack: Stack
    decisions_path: Path

    def decisions(self) -> set[tuple[str, str, str, str]]:
        """Role, action, resource, decision."""
        return {tuple(json.loads(line)) for line in self.decisions_path.read_text().splitlines()}

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each statement of each role."""
        iam = self.stack.aws("iam")
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for statement in document["Statement"]:
                    yield name, statement


@pytest.fixture
def enforcing(tmp_path: Path) -> Iterator[Enforcing]:
    skip_unless_local("It enforces roles in an emulator of its own")
    data = DataDirectory.at(tmp_path / "data")
    stack = Stack(data=data, port=free_port(), config_path=tmp_path / "config.toml")
    decisions_path = tmp_path / "decisions.jsonl"
    command = [sys.executable, str(SERVER), str(decisions_path)]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--port", str(stack.port), "--data-dir", str(data.root)], stdout=log, stderr=log
        )
        try:
            wait_until(lambda: (running := lifecycle.find(data)) and lifecycle.is_healthy(running))
            stack.up()
            yield Enforcing(stack=stack, decisions_path=decisions_path)
        finally:
            server.terminate()
            server.wait(timeout=120)


def _a_days_work(stack: Stack, folder: Path) -> None:
    path = folder / "loans.csv"
    write_loans(path, num_rows=300, seed=0)
    with stack.client() as client:
        send = client.http.request
        files = {"type": "files", "urls": ["https://data.example/a.csv"]}
        client.sources.create("minutely", collector=files, policy={"schedule": "rate(1 minute)"})
        client.datasets.upload(path, name="loans", target="repaid")
        assert client.datasets.preview("loans@1", [{"do": "trim"}]).rows
        landing = stack.outputs["LandingBucketName"]
        stack.aws("s3").put_object(Bucket=landing, Key="drop/default/loans/more.csv", Body=path.read_bytes())
        job = client.jobs.train("loans@1", algorithm="linear").wait(timeout_seconds=400)
        assert list(job.logs())
        script = folder / "source"
        script.mkdir()
        (script / "train.py").write_text("print('done')")
        client.jobs.run_script(script).wait(timeout_seconds=400)
        _be_told(client)
        assert job.model_version is not None
        endpoint = job.model_version.deploy()
        assert endpoint.predict([{"income": 1.0}]).predictions
        named = {"x-aimass-input": client.predictions.send_input(b'{"rows": [{"income": 1.0}]}')}
        wanted = {"content-type": "application/json", "prefer": "respond-async"}
        later = send("POST", "/v1/endpoints/loans/predict", headers={**named, **wanted})
        assert client.predictions.get(later["id"]).wait(timeout_seconds=60).predictions
        client.endpoints.set("loans", capture={"percent": 100})
        wait_until(lambda: endpoint.predict([{"income": 1.0}]) and client.endpoints.drift("loans").num_rows)
        assert client.endpoints.capture("loans", to="captured").num_rows
        wait_until(lambda: client.datasets.get("loans").latest_version == 2)
        assert client.datasets.query("select * from loans").to_pandas().shape[0] == 600
        upload = send("POST", "/v1/datasets/loans/uploads", body={"file_name": "x", "num_bytes": 1, "sha256": "0" * 64})
        search = {"kind": "search", "dataset": "loans@1", "study": "loans", "candidates": [{"algorithm": "linear"}]}
        searching = send("POST", "/v1/jobs", body={"spec": search})
        send("POST", f"/v1/jobs/{searching['id']}/stop")
        wait_until(lambda: client.jobs.get(searching["id"]).status.is_terminal)
        send("GET", "/v1/studies/loans/trials")
        for address in (
            "studies/loans",
            f"datasets/loans/uploads/{upload['id']}",
            "endpoints/loans",
            "models/loans/versions/1",
            "datasets/loans",
        ):
            send("DELETE", f"/v1/{address}")
        send("GET", "/v1/audit?limit=1")
        invited = client.users.invite("ada@example.com", role="viewer")
        session = client.sessions.accept(invited.invitation, password="Correct horse 7")
        with stack.client(api_key=session.access_token) as person:
            assert person.system.whoami().actor == invited.id
        client.users.remove(invited.id)
        assert client.audit.export(folder / "audit.csv").num_entries
        _look_after_the_platform(stack, client)
        client.sources.create("signups", collector={"type": "webhook"}, policy={"pii": {"columns": {"email": "hash"}}})
        client.sources.set_secret("signups", "PII_KEY", "of the day" * 4)
        sent = send_webhook(client, client.sources.create_webhook("signups"), b'{"id": 1, "email": "ada@example.com"}')
        assert sent.status_code == 202
        client.sources.delete("signups")
        # Due a minute after the beginning of the day.
        wait_until(lambda: tick(stack)["started"] or list(client.sources.runs("minutely")))
    healed = stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
    assert "FunctionError" not in healed, healed["Payload"].read()
    assert json.loads(healed["Payload"].read())["faults"] == 0
    _end_of_the_day(stack)


def _end_of_the_day(stack: Stack) -> None:
    """Everything is deleted; the key that asked sees it."""
    with stack.client() as client:
        client.workspaces.delete(confirm=client.workspaces.get().name, grace_hours=0)

        def is_empty() -> bool:
            answer = stack.aws("lambda").invoke(FunctionName="aimass-reconciler")
            assert "FunctionError" not in answer, answer["Payload"].read()
            return client.workspaces.get_deletion().empty_since is not None

        wait_until(is_empty)


def _look_after_the_platform(stack: Stack, client: aimass.Client) -> None:
    assert client.system.status().functions
    assert client.logs.search(since=datetime.now(UTC) - timedelta(minutes=10)).first() is not None
    sqs = stack.aws("sqs")
    for queue, letter in (
        ("ingest", {"Records": []}),
        ("dispatch", {"source": "aws.sagemaker", "detail": {"EndpointName": "somebody-elses"}}),
        ("dispatch", {"DDBStreamBatchInfo": {"shardId": "shard"}}),
        ("job_events", {"source": "aws.batch", "detail": {"jobId": "somebody-elses"}}),
    ):
        url = sqs.get_queue_url(QueueName=f"aimass-{queue.replace('_', '-')}-dead-letters")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(letter))
        assert client.system.dead_letters(queue).items
        assert client.system.redrive(queue).num_done == 1
        assert client.system.purge(queue).num_done == 0


def _be_told(client: aimass.Client) -> None:
    """Of a report, by a mailbox and by a receiver that is not there."""
    client.notification_channels.create_email("mail", "team@example.org")
    client.notification_channels.create_webhook("hook", "http://127.0.0.1:9/")
    assert client.reports.create(channels=["mail", "hook"]).wait(timeout_seconds=400).html_url

    def heard() -> set[str]:
        return {each.channel_name for each in client.notification_deliveries.list() if each.attempts}

    wait_until(lambda: heard() == {"mail", "hook"})
    (mailed,) = client.notification_deliveries.list(channel="mail")
    assert mailed.status is DeliveryStatus.DELIVERED, mailed.attempts
    client.notification_channels.delete("hook")


def test_h20_each_role_is_enough_and_none_of_its_statements_is_idle(
    enforcing: Enforcing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _a_days_work(enforcing.stack, tmp_path)
    decided = enforcing.decisions()
    assert not [each for each in decided if each[3] != "Allow"]
    assert {role.split("-")[1].partition("Role")[0] for role, *_ in decided} == set(FUNCTIONS)
    idle = []
    for role, statement in enforcing.statements():
        function = role.split("-")[1].partition("Role")[0]
        actions, resources = _listed(statement["Action"]), _listed(statement["Resource"])
        is_used = any(
            who == role and action in actions and any(fnmatchcase(what, resource) for resource in resources)
            for who, action, what, _ in decided
        )
        if is_used or function not in FUNCTIONS or UNCHECKED & set(actions):
            continue
        if not any(
            function == who and action in actions and any(resource.endswith(end) for resource in resources)
            for who, action, end in UNUSED_TODAY
        ):
            idle.append((function, actions, resources))
    assert not idle, f"{idle}: a mutation that takes one of these away would go unnoticed"
    _count_needed(enforcing, decided, capsys)


def _count_needed(
    enforcing: Enforcing, decided: set[tuple[str, str, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Takes each statement away in turn: was it the only one that let something of this day pass, or does a test of the
    templates miss it?"""
    mutations, noticed = list_mutations(), find_noticed()
    stacks = set(STACKS.values())
    deployed: dict[str, list[dict[str, Any]]] = {}
    for role, statement in enforcing.statements():
        deployed.setdefault(role, []).append(statement)
    needed = set(noticed)
    for role, statements in deployed.items():
        stack, _, rest = role.partition("-")
        for who, action, what, _ in decided:
            allowing = [index for index, each in enumerate(statements) if _allows(each, action, what)]
            if who == role and stack in stacks and len(allowing) == 1:
                needed |= {
                    each
                    for each in mutations
                    if rest.startswith(f"{each.role}-") and STACKS[each.stack] == stack and each.index == allowing[0]
                }
    share = len(needed) / len(mutations)
    with capsys.disabled():
        sys.stdout.write(
            f"\npolicy statements that a test needs: {len(needed)} of {len(mutations)} ({share:.1%}); "
            f"{len(noticed)} by tests of the templates alone\n"
        )
        for each in sorted(mutations.keys() - needed, key=str):
            sys.stdout.write(f"  not needed today: {each.role} {mutations[each]['Action']}\n")
    assert share >= ENOUGH


def _allows(statement: dict[str, Any], action: str, resource: str) -> bool:
    return action in _listed(statement["Action"]) and any(
        fnmatchcase(resource, pattern) for pattern in _listed(statement["Resource"])
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
