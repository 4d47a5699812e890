"""An httpx2 transport that ends in the real handlers and in the memory lake: the SDK without a network."""

import httpx2

from aimass_core.ports import BlobNotFoundError, SignedUrl
from tests.functional.gateway import Gateway


class InProcessTransport(httpx2.BaseTransport):
    """Give it to `aimass.Client(transport=...)`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request to the API, or to where a signed URL leads."""
        if request.url.scheme == "memory":
            assert "authorization" not in request.headers, "our key is nothing for S3"
            return self._write_signed(request) if request.method == "PUT" else self._read_signed(request)
        headers: dict[str, str | list[str]] = {}
        for name in request.headers:
            headers[name] = request.headers.get_list(name)
        answer = self._gateway.send(request.method, request.url.raw_path.decode(), headers=headers, body=request.read())
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)

    def _write_signed(self, request: httpx2.Request) -> httpx2.Response:
        ports = self._gateway.ports
        bucket = {"lake": ports.lake, "landing": ports.landing}[request.url.host]
        signed = SignedUrl(method="PUT", url=str(request.url), headers=dict(request.headers))
        return httpx2.Response(bucket.redeem(signed, request.read()), request=request)

    def _read_signed(self, request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.host) == ("GET", "lake")
        try:
            body = self._gateway.ports.lake.get(request.url.path.removeprefix("/"))
        except BlobNotFoundError:
            return httpx2.Response(404, request=request)
        return httpx2.Response(200, content=body, request=request)
