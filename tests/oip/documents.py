"""The Open Inference Protocol's OpenAPI documents as MLServer 1.7.1 brings them (Apache-2.0, Seldon Technologies), and
schemathesis with them at the addresses of a server of ours.

https://github.com/SeldonIO/MLServer/tree/master/openapi
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
DOCUMENTS = ("dataplane", "model_repository")
# MLServer's own, of language models: the protocol has no such operations.
_OWN = ("/generate", "/generate_stream", "/infer_stream")
_ERROR = {
    "description": "The protocol's error.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
        }
    },
}


def find_faults(
    document: str,
    *,
    base_url: str,
    folder: Path,
    model: str,
    inputs: Sequence[Mapping[str, Any]],
    headers: Sequence[str] = (),
) -> str:
    """What schemathesis complains about; nothing where all is as the document says. `inputs` are the model's."""
    path = folder / f"{document}.json"
    path.write_text(json.dumps(_read(document, model, inputs)))
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(FOLDER / "schemathesis.toml")]
    arguments = ["run", str(path), "--url", base_url, "--checks", "all", "-n", "10", "--seed", "1", "--no-color"]
    given = [argument for header in headers for argument in ("-H", header)]
    done = subprocess.run(
        [*command, *arguments, *given], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    return "" if done.returncode == 0 else done.stdout[done.stdout.find("FAILURES") :] + done.stderr


def _read(name: str, model: str, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The document, about a model that is there. Put right is what OpenAPI does not know, and added what is left out:
    that a model may be unknown, and an index be asked for wrongly."""
    text = (FOLDER / f"{name}.json").read_text()
    document: dict[str, Any] = json.loads(text.replace('"type": "bytes"', '"type": "string"'))
    document["paths"] = {path: each for path, each in document["paths"].items() if not path.endswith(_OWN)}
    # Content types and headers are parameters of MLServer's; the protocol's are whatever a server makes of them.
    schemas = document["components"]["schemas"]
    schemas.get("Parameters", {}).pop("properties", None)
    if "InferenceRequest" in schemas:
        # Its own client sends null where there is none.
        schemas["InferenceRequest"]["properties"]["id"]["nullable"] = True
    known = {"model_name": model, "model_version": "1"}
    for path, operations in document["paths"].items():
        for parameter in operations.get("parameters", []):
            parameter["schema"]["enum"] = [known[parameter["name"]]]
        for operation in (each for method, each in operations.items() if method != "parameters"):
            operation["responses"].setdefault("404" if "{" in path else "400", _ERROR)
            if path.endswith("/infer"):
                operation["requestBody"]["content"]["application/json"]["example"] = {"inputs": inputs}
    return document
