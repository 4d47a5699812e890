"""An httpx2 transport that ends in the real handlers: the SDK without a network."""

import httpx2

from tests.functional.gateway import Gateway


class InProcessTransport(httpx2.BaseTransport):
    """Give it to `aimass.Client(transport=...)`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request to the API."""
        headers: dict[str, str | list[str]] = {}
        for name in request.headers:
            headers[name] = request.headers.get_list(name)
        answer = self._gateway.send(request.method, request.url.raw_path.decode(), headers=headers, body=request.read())
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body, request=request)
