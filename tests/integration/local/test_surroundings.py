"""What the local cloud does without (FAULTS J13), and what it does on a full disk (J16)."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from aimass_local.cli import app
from tests.integration.local.conftest import Cloud, Start, wait_until
from tests.integration.local.test_batch import register, run

_LOOPBACK = ("127.", "::1")


def test_j13_runs_without_node_docker_or_any_other_program(
    start_cloud: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    cloud = start_cloud(tmp_path / "data")
    assert cloud.invoke(do="greet") == "from the layer"
    assert run(cloud, register(cloud), "print('a job')")["status"] == "SUCCEEDED"


def test_j13_connects_to_nothing_but_itself(cloud: Cloud) -> None:
    assert cloud.invoke(do="greet") == "from the layer"
    server = psutil.Process(cloud.process.pid)
    connections = [
        connection for process in (server, *server.children(recursive=True)) for connection in process.net_connections()
    ]
    assert connections
    addresses = {address.ip for c in connections for address in (c.laddr, c.raddr) if address}
    assert all(address.startswith(_LOOPBACK) for address in addresses), addresses


def test_j13_folder_names_may_have_spaces_and_any_letters(start_cloud: Start, tmp_path: Path) -> None:
    folder = tmp_path / "mein Ordner é 数据 'x'"
    cloud = start_cloud(folder)
    assert cloud.invoke(do="greet") == "from the layer"
    assert run(cloud, register(cloud), "print('a job')")["status"] == "SUCCEEDED"
    cloud.kill()
    assert start_cloud(folder).invoke(do="greet") == "from the layer"


def test_j13_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path / "file" / "data")])
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.output
    assert "--data-dir" in result.output


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="the file size of another process cannot be limited")
def test_j16_full_disk_refuses_writes_and_loses_nothing(start_cloud: Start, tmp_path: Path) -> None:
    """No file of the server may grow beyond a limit, as on a full disk."""
    cloud = start_cloud(tmp_path)
    table, client = cloud.outputs["ItemsTable"], cloud.client("dynamodb")
    largest = max(path.stat().st_size for path in cloud.data.root.rglob("*") if path.is_file())
    server = psutil.Process(cloud.process.pid)
    server.rlimit(psutil.RLIMIT_FSIZE, (largest + 1_000_000, resource.RLIM_INFINITY))
    acknowledged: list[str] = []

    def put() -> None:
        key = f"item {len(acknowledged)}"
        client.put_item(TableName=table, Item={"pk": {"S": key}, "value": {"S": "x" * 50_000}})
        acknowledged.append(key)

    def put_many() -> None:
        for _ in range(1000):
            put()

    def is_full() -> bool:
        """Where the journal alone was too large, a save empties it, and there is room for some more."""
        with contextlib.suppress(ClientError):
            put_many()
        return _is_refused(cloud)

    with pytest.raises(ClientError) as caught:
        put_many()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (500, 507)
    wait_until(is_full)
    for key in acknowledged:
        assert "Item" in client.get_item(TableName=table, Key={"pk": {"S": key}})
    server.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: not _is_refused(cloud))
    put()
    cloud.kill()

    pages = start_cloud(tmp_path).client("dynamodb").get_paginator("scan").paginate(TableName=table)
    assert set(acknowledged) <= {item["pk"]["S"] for page in pages for item in page["Items"]}


def _is_refused(cloud: Cloud) -> bool:
    try:
        cloud.client("ssm").put_parameter(Name="/probe", Value="x", Type="String", Overwrite=True)
    except ClientError as error:
        return error.response["Error"]["Code"] == "InsufficientStorage"
    return False
