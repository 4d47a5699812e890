"""What the SDK does with a job's files."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

import aimass
from aimass.errors import ConnectionFailedError


@dataclass
class Server:
    """One growing event file, behind an S3 that knows ranges or does not."""

    name: str = "0001/fit/events.out.tfevents.1"
    content: bytes = b"12345"
    knows_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "api.test":
            file = {"name": self.name, "num_bytes": len(self.content), "url": "http://s3.test/file?signed"}
            return httpx2.Response(200, json={"files": [file]})
        assert "authorization" not in request.headers
        asked = request.headers.get("range")
        self.ranges.append(asked)
        if asked is None or not self.knows_ranges:
            return httpx2.Response(200, content=self.content)
        return httpx2.Response(206, content=self.content[int(asked.removeprefix("bytes=").rstrip("-")) :])

    def client(self) -> aimass.Client:
        return aimass.Client(base_url="http://api.test", api_key="aim_x", transport=httpx2.MockTransport(self))


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_only_what_is_new_is_appended_to_the_file_that_is_there(tmp_path: Path, knows_ranges: bool) -> None:
    server = Server(knows_ranges=knows_ranges)
    client = server.client()
    assert client.jobs.download_tensorboard("job_x", tmp_path) == 5
    path = tmp_path / server.name
    inode = path.stat().st_ino
    assert client.jobs.download_tensorboard("job_x", tmp_path) == 0
    server.content += b"678"
    assert client.jobs.download_tensorboard("job_x", tmp_path) == 3
    assert path.read_bytes() == b"12345678"
    assert path.stat().st_ino == inode
    assert server.ranges == [None, "bytes=5-"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a//b", "C:\\x", "fit/..\\x", ""])
def test_a_server_cannot_write_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    with pytest.raises(ConnectionFailedError, match="no path within a folder"):
        Server(name=name).client().jobs.download_tensorboard("job_x", folder)
    assert list(tmp_path.rglob("*")) == []
