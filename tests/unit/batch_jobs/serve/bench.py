"""A worker of the container in this process, asked as uvicorn asks it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimass_core.domain.signatures import Golden, Signature
from batch_jobs.serve.http.application import HttpApplication
from batch_jobs.serve.options import Options
from batch_jobs.serve.worker import Worker
from tests.factories.served_models import TABLE, table_model

AGE = {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [39]}
CITY = {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Oslo"]}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Bench:
    """One worker over a folder of models."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.options = Options(models=folder / "models", name="models", state=folder / "state", **options)
        self.options.state.mkdir(exist_ok=True)
        self.worker = Worker(self.options)
        self._http = HttpApplication(self.worker, self.options)

    async def start(self) -> "Bench":
        """Returns when the models were loaded, or refused."""
        await self.worker.start()
        await self.worker.loaded()
        return self

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | Any = b"",
        *,
        chunks: int = 1,
        **headers: str,
    ) -> Answer:
        """One request; what is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": "127.0.0.1:8080", "content-length": str(len(content))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        address, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": address,
            "raw_path": address.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        sent: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._http(scope, _receive(content, chunks), keep)
        start, end = sent
        return Answer(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=end["body"],
        )

    async def infer(self, name: str, *inputs: Mapping[str, Any], number: int | None = None) -> Answer:
        """An inference in JSON."""
        version = "" if number is None else f"/versions/{number}"
        return await self.send("POST", f"/v2/models/{name}{version}/infer", {"inputs": list(inputs)})


def _receive(content: bytes, chunks: int) -> Callable[[], Awaitable[dict[str, Any]]]:
    size = max(len(content) // chunks, 1)
    parts = [content[at : at + size] for at in range(0, len(content), size)] or [b""]

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    return receive


def put_model(
    folder: Path,
    name: str = "adult",
    number: int | None = 1,
    *,
    model: bytes | None = None,
    signature: Signature | None = TABLE,
    golden: Golden | None = None,
) -> Path:
    """The files of a version, below `folder/models`."""
    path = folder / "models" / name / ("" if number is None else str(number))
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(model or table_model())
    if signature is not None:
        (path / "signature.json").write_text(signature.model_dump_json())
    if golden is not None:
        (path / "golden.json").write_text(golden.model_dump_json())
    return path
