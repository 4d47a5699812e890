"""A small server of the model beside this file: GET /ping, and POST /invocations with a JSON list of rows or CSV."""

import csv
import io
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from predict import Model

MODEL = Model()
MAX_BYTES = 6 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, {})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/invocations" or length > MAX_BYTES:
            self.close_connection = True
            self.answer(404 if self.path != "/invocations" else 413, {"error": "POST /invocations, at most 6 MB"})
            return
        body = self.rfile.read(length).decode("utf-8")
        try:
            is_csv = "csv" in self.headers.get("Content-Type", "")
            rows = list(csv.DictReader(io.StringIO(body))) if is_csv else json.loads(body)
            self.answer(200, {"predictions": MODEL.predict(rows)})
        except (SystemExit, ValueError, AttributeError, KeyError) as error:
            self.answer(400, {"error": str(error)})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    with ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), port), Handler) as server:
        print(f"http://{server.server_address[0]}:{server.server_address[1]}/invocations", flush=True)
        server.serve_forever()
