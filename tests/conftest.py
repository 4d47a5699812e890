"""What holds for every test."""

import gc

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that is imported while tests are collected is garbage, and looking for it would take a third of that."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """The libraries stay: from here on nobody looks through them again."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """At the end Python takes everything apart."""
    gc.unfreeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a test of some bytes by their place: processes that share the tests out have to agree on the names, and a
    gzip's bytes hold the time at which they were made."""
    return argname if isinstance(val, bytes) else None
