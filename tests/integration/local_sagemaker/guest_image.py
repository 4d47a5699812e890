"""A guest image whose program `serve` is a few lines of Python."""

from __future__ import annotations

import sys
from pathlib import Path

# Answers with what it was asked, what model it has, and who it is. Its body may ask it to die, to fail, or to wait
# until a file is there.
SERVE = """
import http.server, json, os, pathlib, time
model = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "model"
if (model / "broken").exists():
    raise SystemExit("the model is broken")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.reply(200 if self.path == "/ping" else 404, b"", {})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        words = body.decode().split(" ", 1)
        if words[0] == "die":
            os._exit(9)
        if words[0] == "fail":
            return self.reply(422, b"a row is missing", {})
        if words[0] == "wait":
            pathlib.Path(words[1] + ".asked").touch()
            while not pathlib.Path(words[1]).exists():
                time.sleep(0.01)
        answer = {
            "pid": os.getpid(), "body": body.decode(), "accept": self.headers["Accept"],
            "files": {p.relative_to(model).as_posix(): p.read_text() for p in model.rglob("*") if p.is_file()},
            "setting": os.environ.get("SETTING"),
        }
        attributes = self.headers["X-Amzn-SageMaker-Custom-Attributes"]
        headers = {"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}
        self.reply(200, json.dumps(answer).encode(), headers)
    def reply(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        print("asked", self.path, flush=True)
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def write_guest_image(folder: Path) -> dict[str, str]:
    """An image for images.json: an interpreter, and `serve` beside it, as an image has it in its PATH."""
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(Path(sys.executable).resolve())
    serve = folder / "serve"
    serve.write_text(f"#!{python}\n{SERVE}")
    serve.chmod(0o755)
    return {"guests/*": str(python)}
