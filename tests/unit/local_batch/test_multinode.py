"""Multi-node jobs: all nodes at once, the main node decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local_batch.harness import LocalBatch, RefusedError, build_requirements, until

MEET = """
import json, os, time
names = ('NUM_NODES', 'NODE_INDEX', 'MAIN_NODE_INDEX', 'MAIN_NODE_PRIVATE_IPV4_ADDRESS', 'ID')
print(json.dumps({name: os.environ.get('AWS_BATCH_JOB_' + name) for name in names}), flush=True)
"""


def define_nodes(batch: LocalBatch, *ranges: tuple[str, list[str]], num_nodes: int, main_node: int = 0) -> None:
    requirements = build_requirements(vcpus="0.5", memory="64")
    batch.call(
        "RegisterJobDefinition",
        jobDefinitionName="definition",
        type="multinode",
        nodeProperties={
            "numNodes": num_nodes,
            "mainNode": main_node,
            "nodeRangeProperties": [
                {"targetNodes": nodes, "container": {"image": "any", "command": command, **requirements}}
                for nodes, command in ranges
            ],
        },
    )


def node_logs(batch: LocalBatch, job_id: str, num_nodes: int) -> list[list[str]]:
    return [batch.log_of(batch.describe(f"{job_id}#{index}")) for index in range(num_nodes)]


def test_every_node_knows_its_place(batch: LocalBatch, tmp_path: Path) -> None:
    stay = f"while os.environ['AWS_BATCH_JOB_NODE_INDEX'] == '1' and not os.path.exists({str(tmp_path / 'end')!r}): "
    define_nodes(batch, ("0:", ["python", "-c", MEET + stay + "time.sleep(0.01)"]), num_nodes=4, main_node=1)
    job_id = batch.submit()
    others = [f"{job_id}#{index}" for index in (0, 2, 3)]
    batch.wait(job_id, "RUNNING")
    for node in others:
        batch.wait(node)
    (tmp_path / "end").touch()
    job = batch.wait(job_id)
    assert job["status"] == "SUCCEEDED", job
    assert job["nodeProperties"]["numNodes"] == 4
    nodes = [json.loads(lines[0]) for lines in node_logs(batch, job_id, 4)]
    assert [node["NODE_INDEX"] for node in nodes] == ["0", "1", "2", "3"]
    assert {(node["NUM_NODES"], node["MAIN_NODE_INDEX"]) for node in nodes} == {("4", "1")}
    assert [node["MAIN_NODE_PRIVATE_IPV4_ADDRESS"] for node in nodes] == ["127.0.0.1", None, "127.0.0.1", "127.0.0.1"]
    assert [node["ID"] for node in nodes] == [f"{job_id}#{index}" for index in range(4)]
    listed = batch.call("ListJobs", multiNodeJobId=job_id, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [entry["nodeProperties"]["isMainNode"] for entry in listed] == [False, True, False, False]


def test_main_node_ends_the_job_and_the_others_are_stopped(batch: LocalBatch) -> None:
    define_nodes(batch, ("0", ["sh", "-c", "sleep 0.2; exit 3"]), ("1:", ["sleep", "60"]), num_nodes=3)
    job_id = batch.submit()
    job = batch.wait(job_id)
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("FAILED", 3)
    assert [batch.describe(f"{job_id}#{i}")["container"]["exitCode"] for i in range(3)] == [3, 143, 143]


def test_failure_of_another_node_does_not_end_the_job(batch: LocalBatch, tmp_path: Path) -> None:
    stay = ["sh", "-c", until(tmp_path / "end")]
    define_nodes(batch, ("0", stay), ("1", ["sh", "-c", "exit 9"]), num_nodes=2)
    job_id = batch.submit()
    batch.wait(job_id, "RUNNING")
    batch.wait(f"{job_id}#1")
    assert batch.describe(job_id)["status"] == "RUNNING"
    (tmp_path / "end").touch()
    assert batch.wait(job_id)["status"] == "SUCCEEDED"
    node = batch.describe(f"{job_id}#1")
    assert (node["status"], node["container"]["exitCode"]) == ("FAILED", 9)
    assert node["nodeDetails"] == {"nodeIndex": 1, "isMainNode": False}


def test_nodes_begin_together_or_not_at_all(batch: LocalBatch, tmp_path: Path) -> None:
    batch.define("sh", "-c", until(tmp_path / "end"), name="other")
    define_nodes(batch, (":", ["true"]), num_nodes=4)
    first = batch.submit("other")
    job_id = batch.submit()
    batch.wait(first, "RUNNING")
    assert batch.describe(job_id)["status"] == "RUNNABLE"
    (tmp_path / "end").touch()
    batch.wait(job_id)
    assert batch.describe(first)["stoppedAt"] <= batch.describe(job_id)["startedAt"]


def test_node_overrides_reach_their_range_and_the_inner_range_wins(batch: LocalBatch, tmp_path: Path) -> None:
    outer = ["sh", "-c", f"echo outer; {until(tmp_path / 'end')}"]
    define_nodes(batch, ("0:3", outer), ("2:3", ["echo", "inner"]), num_nodes=4)
    overrides = {
        "numNodes": 3,
        "nodePropertyOverrides": [{"targetNodes": "1", "containerOverrides": {"command": ["echo", "over"]}}],
    }
    job_id = batch.submit(nodeOverrides=overrides)
    batch.wait(job_id, "RUNNING")
    for index in (1, 2):
        batch.wait(f"{job_id}#{index}")
    (tmp_path / "end").touch()
    assert batch.wait(job_id)["status"] == "SUCCEEDED"
    assert node_logs(batch, job_id, 3) == [["outer"], ["over"], ["inner"]]


def test_a_job_shows_what_its_nodes_were_given(batch: LocalBatch) -> None:
    define_nodes(batch, ("0:", ["true"]), num_nodes=2)
    changes = {"command": ["echo", "mine"], "environment": [{"name": "MINE", "value": "1"}]}
    nodes = {"numNodes": 3, "nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": changes}]}
    properties = batch.describe(batch.submit(nodeOverrides=nodes))["nodeProperties"]
    (shown,) = properties["nodeRangeProperties"]
    assert (properties["numNodes"], shown["targetNodes"]) == (3, "0:")
    assert shown["container"]["command"] == ["echo", "mine"]
    assert shown["container"]["environment"] == [{"name": "MINE", "value": "1"}]


def test_failure_of_the_main_node_is_retried(batch: LocalBatch) -> None:
    command = ["sh", "-c", "exit $((AWS_BATCH_JOB_ATTEMPT == 1 ? 1 : 0))"]
    define_nodes(batch, ("0:", command), num_nodes=2)
    job = batch.wait(batch.submit(retryStrategy={"attempts": 2}))
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_nodes": 2, "main_node": 2}, "mainNode is 2"),
        ({"num_nodes": 0}, "between 1 and 1000"),
        ({"num_nodes": 5}, "no range holds node 4"),
    ],
)
def test_impossible_nodes_are_refused(batch: LocalBatch, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        define_nodes(batch, ("0:3", ["true"]), **options)
