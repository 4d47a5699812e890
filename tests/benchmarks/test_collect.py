"""Records through the REST collector beside dlt, from the same server on this machine."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.benchmarks.report import print_table
from tests.unit.batch_jobs.collect.scene import SourceScene

NUM_ROWS, PAGE_ROWS = 100_000, 1_000

_PEER = """
import sys
import dlt
from dlt.sources.rest_api import rest_api_source
url, folder = sys.argv[1:]
endpoint = {"path": "orders", "data_selector": "data", "paginator": {"type": "json_link", "next_url_path": "next"}}
source = rest_api_source({"client": {"base_url": url}, "resources": [{"name": "orders", "endpoint": endpoint}]})
target = dlt.destinations.filesystem(bucket_url=f"file://{folder}/out")
pipeline = dlt.pipeline("bench", destination=target, dataset_name="x", pipelines_dir=folder)
pipeline.run(source, write_disposition="replace", loader_file_format="parquet")
"""


@pytest.fixture
def url() -> Iterator[str]:
    """100 pages of 1,000 orders, each with an object in it."""
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
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_rest_collector(url: str, tmp_path: Path) -> None:
    pytest.importorskip("dlt")
    config = {"client": {"base_url": url}, "resources": [{"name": "orders"}]}
    scene = SourceScene(tmp_path, {"type": "rest", "config": config}, mode="replace")
    started, cpu = time.perf_counter(), _cpu_seconds()
    assert scene.collect()["num_rows"] == NUM_ROWS
    ours = time.perf_counter() - started, _cpu_seconds() - cpu

    (tmp_path / "dlt").mkdir()
    variables = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    started, cpu = time.perf_counter(), _cpu_seconds()
    subprocess.run([sys.executable, "-c", _PEER, url, str(tmp_path / "dlt")], check=True, env=variables)
    theirs = time.perf_counter() - started, _cpu_seconds() - cpu
    rows = [
        [name, f"{wall:.2f} s", f"{seconds:.2f} s", f"{NUM_ROWS / wall:,.0f}/s"]
        for name, (wall, seconds) in {
            "aimass: read, judged, typed, profiled, committed": ours,
            "dlt: read, normalized, written as Parquet (with its start)": theirs,
        }.items()
    ]
    print_table(f"{NUM_ROWS:,} records through a REST collector", ["", "time", "CPU", "records"], rows)


def _order(number: int) -> dict[str, object]:
    address = {"city": "Bonn", "zip": f"{number % 100_000:05d}"}
    return {"id": number, "name": f"customer {number}", "amount": number * 1.25, "open": True, "address": address}


def _cpu_seconds() -> float:
    """Of this process (the server's thread included, for both) and of its children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
