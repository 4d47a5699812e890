"""`aimass collectors` from a new folder to a source, over the real handlers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.gateway import Api
from tests.functional.terminal import Run


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_new_collector_runs_goes_on_and_passes_its_own_tests_and_check(run: Run, tmp_path: Path) -> None:
    assert run("collectors", "new", "my-source").code == 0
    folder = tmp_path / "my-source"
    first = run("collectors", "run", "my-source", "--local", "--save", "out", "-o", "json")
    assert first.code == 0, first.err
    (stream,) = json.loads(first.out)
    assert (stream["name"], stream["num_records"], stream["primary_key"]) == ("items", 2, ["id"])
    assert len((tmp_path / "out/items.jsonl").read_text().splitlines()) == 2
    again = run("collectors", "run", "my-source")
    assert "Nothing is new since the last run" in again.err
    assert run("collectors", "check", "my-source").code == 0
    # Without pytest, whose plugins take longer to start than all of this.
    program = "import runpy; made = runpy.run_path('tests/test_my_source.py')\n"
    program += "assert [made[name]() for name in made if name.startswith('test_')] == [None, None]"
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True)
    assert run("collectors", "new", "my-source").code == 6
    assert "is no name for a source" in run("collectors", "new", "My Source").err


def test_a_program_in_any_language(run: Run, tmp_path: Path) -> None:
    assert run("collectors", "new", "tap", "--singer").code == 0
    ran = run("collectors", "check", "tap", "-o", "json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)[0]["num_records"] == 2
    (tmp_path / "tap/tap.sh").write_text("echo hello\n")
    ran = run("collectors", "run", "tap")
    assert (ran.code, "is no JSON" in ran.err) == (3, True)
    (tmp_path / "tap/tap.sh").write_text("exit 4\n")
    assert "ended with exit code 4" in run("collectors", "run", "tap").err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("primary_key: [id]", "primary_key: [number]", "the policy names the column 'number', which no record has"),
        ('"id": 2', '"id": None', "1 records have no value in the primary key ['id']"),
        ('"id": 2', '"id": "x"', "Column 'id' is sometimes int and sometimes str"),
        ("mode: merge", "mode: mix", "Input should be 'append', 'replace'"),
        ("type: python", "type: rest", "source.yaml"),
        ("my_source:items", "my_source:nothing", "ended with exit code 1"),
    ],
)
def test_check_says_what_a_run_would_stumble_over(run: Run, tmp_path: Path, old: str, new: str, words: str) -> None:
    assert run("collectors", "new", "my-source").code == 0
    files = [path for path in (tmp_path / "my-source").glob("*.*") if old in path.read_text("utf-8")]
    edit(files[0], old, new)
    ran = run("collectors", "check", "my-source")
    assert ran.code == 3
    assert words in ran.err.replace("\n", " ")


def test_publish_makes_a_source_and_then_changes_it(run: Run, api: Api, tmp_path: Path) -> None:
    run("collectors", "new", "my-source")
    settings = tmp_path / "my-source/source.yaml"
    edit(settings, 'url: ""', 'url: ""\n    token: {secret: API_TOKEN}')
    ran = run("collectors", "publish", "my-source")
    assert ran.code == 0, ran.err
    assert "It needs a secret: aimass sources secrets set my-source API_TOKEN" in ran.err
    first = api.get("/v1/sources/my-source").json
    assert (first["collector"]["type"], first["policy"]["mode"]) == ("python", "merge")
    edit(settings, "mode: merge", "mode: history")
    edit(tmp_path / "my-source/my_source.py", "Ann", "Eve")
    assert "is updated" in run("collectors", "publish", "my-source").err
    second = api.get("/v1/sources/my-source").json
    assert second["policy"]["mode"] == "history"
    assert second["collector"]["package"] != first["collector"]["package"]
    assert second["id"] == first["id"]
    missing = run("collectors", "publish", ".")
    assert (missing.code, "has no source.yaml" in missing.err) == (3, True)


def test_a_secret_is_a_variable_on_this_machine(run: Run, tmp_path: Path) -> None:
    run("collectors", "new", "my-source")
    edit(tmp_path / "my-source/source.yaml", 'url: ""', 'url: ""\n    token: {secret: NO_SUCH_VARIABLE}')
    ran = run("collectors", "run", "my-source")
    assert "export NO_SUCH_VARIABLE=" in ran.err
