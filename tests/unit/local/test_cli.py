"""The commands, where they need no server."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from aimass_local.cli import app


def _run(*arguments: str, answer: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=answer)
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "reset", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    code, output = _run(command, "--help")
    assert code == 0
    assert "--data-dir" in output


def test_status_of_nothing_has_its_own_exit_code(tmp_path: Path) -> None:
    assert _run("status", "--data-dir", str(tmp_path))[0] == 3


def test_down_of_nothing_is_well(tmp_path: Path) -> None:
    assert _run("down", "--data-dir", str(tmp_path))[0] == 0


def test_reset_asks_first(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    assert _run("reset", "--data-dir", str(tmp_path), answer="n\n")[0] == 1
    assert tmp_path.exists()
    assert _run("reset", "--data-dir", str(tmp_path), "--yes")[0] == 0
    assert not tmp_path.exists()
    assert _run("reset", "--data-dir", str(tmp_path), "--yes")[0] == 0


def test_logs_of_a_server_that_never_ran_say_so(tmp_path: Path) -> None:
    assert _run("logs", "--data-dir", str(tmp_path))[0] == 1
    assert _run("logs", "--data-dir", str(tmp_path), "--function", "api")[0] == 3


def test_logs_show_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("one\ntwo [bold]\nthree\n")
    code, output = _run("logs", "--data-dir", str(tmp_path), "--lines", "2")
    assert (code, output) == (0, "two [bold]\nthree\n")
