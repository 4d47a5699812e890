"""The container on HTTP: an ASGI application that translates, and the addresses that it has besides the engine's."""
