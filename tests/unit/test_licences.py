"""What is shipped is under licences that we have agreed to."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

from infra.licences import POLICY_PATH, Policy, find_refused, licences_of, main

REPOSITORY = Path(__file__).resolve().parents[2]
POLICY = Policy.load()


def component(name: str, *licences: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "licenses": list(licences)}


@pytest.mark.parametrize(
    ("licences", "is_refused"),
    [
        ([{"license": {"id": "MIT"}}], False),
        ([{"expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}], False),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "License :: OSI Approved :: BSD License"}}], False),
        ([{"license": {"id": "AGPL-3.0-only"}}], True),
        ([{"expression": "MIT AND GPL-3.0-or-later"}], True),
        ([{"license": {"name": "Our own licence"}}], True),
        ([], True),
    ],
)
def test_a_licence_that_nobody_agreed_to_is_refused(licences: list[dict[str, Any]], is_refused: bool) -> None:
    sbom = {"components": [component("a-package", *licences)]}
    assert bool(find_refused(licences_of(sbom), POLICY)) is is_refused


def test_an_exception_holds_for_one_package_however_it_is_spelt() -> None:
    licence = {"license": {"id": "LGPL-3.0-only"}}
    sbom = {"components": [component("Psycopg_Binary", licence), component("other", licence)]}
    assert find_refused(licences_of(sbom), POLICY) == {"other": ["LGPL-3.0-only"]}


def test_the_report_names_each_package_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(json.dumps({"components": [component("fine", {"license": {"id": "MIT"}}), component("vague")]}))
    assert main([str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["fine\tMIT\t", "vague\t-\t"]
    assert f"vague: none that it names: not in {POLICY_PATH.name}" in printed.err


def test_only_what_is_locked_counts_where_an_environment_holds_more(tmp_path: Path) -> None:
    path, lock = tmp_path / "sbom.json", tmp_path / "lock.txt"
    path.write_text(json.dumps({"components": [component("Fine_Name", {"license": {"id": "MIT"}}), component("tool")]}))
    lock.write_text("fine-name==1 \\\n    --hash=sha256:0\n")
    assert (main([str(path), "--locked", str(lock)]), main([str(path)])) == (0, 1)


def test_packages_of_the_consoles_page_are_under_such_licences() -> None:
    """Those that the build leaves in it."""
    text = (REPOSITORY / "functions" / "console" / "ui" / "package-lock.json").read_text("utf-8")
    shipped = {name: each for name, each in json.loads(text)["packages"].items() if name and not each.get("dev")}
    refused = [name for name, each in shipped.items() if not POLICY.lets_in(name, [each.get("license", "")])]
    assert shipped
    assert not refused


def test_every_exception_is_of_a_package_that_is_shipped() -> None:
    locked = (REPOSITORY / "requirements" / "local.txt").read_text("utf-8")
    assert all(f"\n{name}==" in locked for name in POLICY.exceptions)
    assert all(importlib.metadata.version(name) for name in POLICY.exceptions)
