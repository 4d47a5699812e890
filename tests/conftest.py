"""What holds for every test."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a test of some bytes by their place: processes that share the tests out have to agree on the names, and a
    gzip's bytes hold the time at which they were made."""
    return argname if isinstance(val, bytes) else None
