"""Reading the logs of functions."""

from __future__ import annotations

import itertools

import pytest

from aimass_local import logs
from aimass_local.logs import LogNotFoundError
from tests.integration.local.conftest import Cloud


def test_a_functions_last_lines_are_found_by_a_part_of_its_name(cloud: Cloud) -> None:
    cloud.invoke(do="log", lines=3)
    lines = list(logs.read_function_log("prob", port=cloud.port, num_lines=5, follow=False))
    assert lines[:3] == ["line 0", "line 1", "line 2"]
    assert lines[3].startswith("END RequestId")


def test_following_shows_each_new_line_once(cloud: Cloud) -> None:
    cloud.invoke(do="log", lines=1)
    following = logs.read_function_log("probe", port=cloud.port, num_lines=1, follow=True)
    assert next(following).startswith("REPORT")
    cloud.invoke(do="log", lines=3)
    new = list(itertools.takewhile(lambda line: not line.startswith("END"), following))
    assert new[0].startswith("START")
    assert new[1:] == ["line 0", "line 1", "line 2"]


def test_unknown_function_names_those_there_are(cloud: Cloud) -> None:
    cloud.invoke(do="echo")
    with pytest.raises(LogNotFoundError, match=r"'nope'; functions with logs: .*probe"):
        list(logs.read_function_log("nope", port=cloud.port, num_lines=5, follow=False))
