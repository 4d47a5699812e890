"""Records through the REST collector beside dlt, in turns, from the same server on this machine.

Each tool has been imported when its time begins; how long that took is told apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.collect.scene import SourceScene

NUM_ROUNDS, NUM_ROWS, PAGE_ROWS = 5, 100_000, 1_000

_PEER = """
import json, sys, time
started = time.perf_counter()
import dlt
from dlt.sources.rest_api import rest_api_source
url, folder = sys.argv[1:]
endpoint = {"path": "orders", "data_selector": "data", "paginator": {"type": "json_link", "next_url_path": "next"}}
source = rest_api_source({"client": {"base_url": url}, "resources": [{"name": "orders", "endpoint": endpoint}]})
target = dlt.destinations.filesystem(bucket_url=f"file://{folder}/out")
pipeline = dlt.pipeline("bench", destination=target, dataset_name="x", pipelines_dir=folder)
begun, used = time.perf_counter(), time.process_time()
pipeline.run(source, write_disposition="replace", loader_file_format="parquet")
num_rows = pipeline.last_trace.last_normalize_info.row_counts["orders"]
spans = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - used, "start": begun - started}
print(json.dumps({"num_rows": num_rows, **spans}))
"""


@pytest.fixture
def url() -> Iterator[str]:
    """A server in a process of its own: nobody shares its interpreter."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}"
    process.terminate()
    process.join()


@pytest.mark.timeout(600)
def test_rest_collector(url: str, tmp_path: Path) -> None:
    pytest.importorskip("dlt")
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "dlt": []}
    for number in range(NUM_ROUNDS):
        for name, collect in (("ours", _collect), ("dlt", _collect_with_dlt)):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            found[name].append(collect(url, folder))
    assert {each["num_rows"] for each in (*found["ours"], *found["dlt"])} == {NUM_ROWS}
    rows = []
    for title, name in (
        ("aimass: read, judged, typed, profiled, committed", "ours"),
        ("dlt: read, normalized, written as Parquet", "dlt"),
    ):
        seconds, processor = (median(each[what] for each in found[name]) for what in ("seconds", "processor"))
        rows.append([title, f"{seconds:.2f} s", f"{processor:.2f} s", f"{NUM_ROWS / seconds:,.0f}/s"])
    rows.append(["import dlt", f"{median(each['start'] for each in found['dlt']):.2f} s", "", ""])
    title = f"{NUM_ROWS:,} records through a REST collector, medians of {NUM_ROUNDS} turns"
    print_table(title, ["", "time", "processor", "records"], rows)


def _collect(url: str, folder: Path) -> dict[str, float]:
    config = {"client": {"base_url": url}, "resources": [{"name": "orders"}]}
    scene = SourceScene(folder, {"type": "rest", "config": config}, mode="replace")
    begun, used = time.perf_counter(), time.process_time()
    metrics = scene.collect()
    spans = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - used}
    return {"num_rows": metrics["num_rows"], **spans}


def _collect_with_dlt(url: str, folder: Path) -> dict[str, float]:
    variables = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    command = [sys.executable, "-c", _PEER, url, str(folder)]
    done = subprocess.run(command, check=True, env=variables, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _serve(port: Connection) -> None:
    """Pages of orders, each with an object in it."""
    last = NUM_ROWS // PAGE_ROWS - 1
    pages = [
        json.dumps(
            {
                "data": [_order(page * PAGE_ROWS + index) for index in range(PAGE_ROWS)],
                "next": f"/orders?page={page + 1}" if page < last else None,
            }
        ).encode()
        for page in range(last + 1)
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536

        def do_GET(self) -> None:
            body = pages[int(self.path.partition("page=")[2] or 0)]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port.send(server.server_address[1])
        server.serve_forever()


def _order(number: int) -> dict[str, object]:
    address = {"city": "Bonn", "zip": f"{number % 100_000:05d}"}
    return {"id": number, "name": f"customer {number}", "amount": number * 1.25, "open": True, "address": address}
