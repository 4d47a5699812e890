"""What holds for every test."""

import gc
from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

# Fixtures of a session that start servers.
_SHARED = ("stack", "killed_stack", "cloud", "emulator")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing that is imported while tests are collected is garbage, and looking for it would take a third of that."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """What shares servers is run by one process, so that they are started once."""
    for item in items:
        for name in _SHARED:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(f"{name} of {item.path.parent.name}"))


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


class _Scheduling(LoadGroupScheduling):
    """By groups, and else by files."""

    def _split_scope(self, nodeid: str) -> str:
        group: str = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if group == nodeid else group


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadGroupScheduling | None:
    """What `--dist loadgroup` means here."""
    return _Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None
