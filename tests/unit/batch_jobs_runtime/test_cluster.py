"""Ranks, addresses and ports, from what Batch and SageMaker tell every machine."""

import socket
from typing import Any

import pytest

from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime.cluster import Cluster, from_batch, from_resources


def resolve(name: str) -> str:
    known = {"algo-1": "10.0.0.1", "algo-2": "10.0.0.2", socket.gethostname(): "10.0.9.9"}
    if name not in known:
        raise socket.gaierror("unknown")
    return known[name]


def node(index: int, *, num: int = 3, main: int = 0, attempt: int = 1) -> Cluster:
    variables = {
        "AWS_BATCH_JOB_ID": f"b-1#{index}",
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_BATCH_JOB_NUM_NODES": str(num),
        "AWS_BATCH_JOB_NODE_INDEX": str(index),
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(main),
    }
    if index != main:
        variables["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "10.0.9.9"
    return from_batch(variables, resolve=resolve)


def test_a_job_with_one_container_is_alone() -> None:
    cluster = from_batch({"AWS_BATCH_JOB_ID": "b-1"})
    assert (cluster.rank, cluster.num_processes, cluster.is_main, cluster.is_alone) == (0, 1, True, True)


@pytest.mark.parametrize("main", [0, 1, 2])
def test_the_main_node_is_rank_0_whatever_its_index(main: int) -> None:
    nodes = [node(index, main=main) for index in range(3)]
    assert sorted(each.rank for each in nodes) == [0, 1, 2]
    assert [each.is_main for each in nodes].index(True) == main
    assert {each.main_address for each in nodes} == {"10.0.9.9"}
    assert len({(each.hosts, each.first_port) for each in nodes}) == 1


def test_the_next_attempt_listens_elsewhere() -> None:
    assert node(0, attempt=1).first_port != node(0, attempt=2).first_port


def test_ports_are_below_those_of_the_system() -> None:
    ports = [from_resources(config("algo-1"), job=f"job-{n}", resolve=resolve).first_port for n in range(2_000)]
    assert min(ports) >= 1_024
    assert max(ports) + 32 <= 32_768
    assert len(set(ports)) > 500


def config(current: str, *hosts: str) -> dict[str, Any]:
    return {"current_host": current, "hosts": list(hosts) or ["algo-1", "algo-2"], "network_interface_name": "eth0"}


def test_hosts_of_sagemaker_meet_at_the_first() -> None:
    first, second = (from_resources(config(f"algo-{n}"), job="job", resolve=resolve) for n in (1, 2))
    assert (first.rank, second.rank) == (0, 1)
    assert first.main_address == second.main_address == "10.0.0.1"
    assert (first.first_port, first.interface) == (second.first_port, "eth0")


def test_one_host_of_sagemaker_looks_up_nothing() -> None:
    assert from_resources(config("algo-9", "algo-9"), job="job", resolve=resolve).is_alone


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (config("algo-3"), "the current one among them"),
        ({"current_host": "algo-1", "hosts": "algo-1"}, "list of names"),
        ({"hosts": []}, "list of names"),
        (config("algo-2", "gone", "algo-2"), "'gone' of resourceconfig.json cannot be found"),
    ],
)
def test_wrong_hosts_are_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        from_resources(given, job="job", resolve=resolve)
