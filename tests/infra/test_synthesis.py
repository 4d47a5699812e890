"""The CDK app itself: the checked-in templates are its newest, and AWS's rules hold. Needs Node and aws-cdk-lib."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

cdk = pytest.importorskip("aws_cdk", reason="aws-cdk-lib is not installed: pip install -e .[cdk]")
if shutil.which("node") is None:
    pytest.skip("Node is not installed, and the CDK runs on it", allow_module_level=True)

from infra.cdk import rules, snapshot  # noqa: E402
from infra.cdk.app import add_stacks  # noqa: E402
from infra.cdk.assets import ASSETS, REPOSITORY, PlaceholderCode, StagedCode  # noqa: E402
from infra.cdk.build_layers import leave_out, patterns_of, pip_arguments  # noqa: E402
from infra.cdk.settings import ENVIRONMENTS, PROD, resolve_environment  # noqa: E402


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return snapshot.build_snapshot()


def test_checked_in_templates_equal_a_fresh_synthesis(files: dict[str, str]) -> None:
    assert snapshot.find_differences(files) == [], "run `python -m infra.cdk.snapshot` and commit the result"


def test_differences_are_found(files: dict[str, str], tmp_path: Path) -> None:
    snapshot.write_snapshot(files, tmp_path)
    assert snapshot.find_differences(files, tmp_path) == []
    (tmp_path / "AimassBatch.template.json").write_text("{}")
    (tmp_path / "Old.template.json").write_text("{}")
    (tmp_path / "assets.json").unlink()
    assert snapshot.find_differences(files, tmp_path) == [
        "AimassBatch.template.json",
        "Old.template.json",
        "assets.json",
    ]
    snapshot.write_snapshot(files, tmp_path)
    assert snapshot.find_differences(files, tmp_path) == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_j11_awss_rules_hold_in_every_environment(name: str, tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    add_stacks(app, settings=resolve_environment(name), code=PlaceholderCode())
    rules.add_rules(app)
    app.synth()


def test_api_calls_the_processes_that_wait_where_any_do(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    add_stacks(app, settings=replace(PROD, predictions_provisioned=2), code=PlaceholderCode())
    resources = app.synth().get_stack_by_name("AimassApplication").template["Resources"]
    (alias,) = (name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Alias")
    waiting = resources[alias]["Properties"]["ProvisionedConcurrencyConfig"]
    assert waiting == {"ProvisionedConcurrentExecutions": 2}
    infer = next(
        each["Properties"]
        for name, each in resources.items()
        if each["Type"] == "AWS::ApiGateway::Method" and name.startswith("HttpApiv2proxy")
    )
    assert alias in json.dumps(infer["Integration"]["Uri"])


def test_j11_new_violation_stops_the_synthesis(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), analytics_reporting=False)
    add_stacks(app, settings=PROD, code=PlaceholderCode())
    rules.add_rules(app)
    stateful = app.node.find_child("AimassStateful")
    cdk.aws_s3.Bucket(stateful, "Careless")
    with pytest.raises(RuntimeError, match=r"AimassStateful/Careless"):
        app.synth()


def test_j11_acknowledgement_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = rules.Acknowledgement(rules=("AwsSolutions-S1",), paths=("AimassStateful/Gone",), reason="-")
    monkeypatch.setattr(rules, "ACKNOWLEDGEMENTS", (stale,))
    app = cdk.App(analytics_reporting=False)
    add_stacks(app, settings=PROD, code=PlaceholderCode())
    with pytest.raises(ValueError, match="'Gone' is not in 'AimassStateful'"):
        rules.add_rules(app)


def test_unknown_environment_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="use one of local, dev, prod"):
        resolve_environment("staging")


def test_staged_code_keeps_the_import_path_and_leaves_caches_out(tmp_path: Path) -> None:
    code = StagedCode(build_path=tmp_path)
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Stack")
    code.code_of(stack, ASSETS["functions/api"])
    code.code_of(stack, ASSETS["layers/core"])
    assert (tmp_path / "assets/functions/api/functions/api/app.py").is_file()
    assert (tmp_path / "assets/layers/core/python/aimass_core/settings.py").is_file()
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_layer_that_was_not_built_says_how(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Stack")
    with pytest.raises(FileNotFoundError, match=r"python -m infra\.cdk\.build_layers"):
        StagedCode(build_path=tmp_path).code_of(stack, ASSETS["layers/deps"])


def test_j12_layers_are_installed_for_lambdas_python_from_known_wheels_only(tmp_path: Path) -> None:
    arguments = pip_arguments(tmp_path / "requirements.txt", tmp_path)
    pairs = list(pairwise(arguments))
    assert ("--python-version", "3.12") in pairs
    assert ("--only-binary", ":all:") in pairs
    assert "--require-hashes" in arguments
    assert ("--platform", "manylinux2014_x86_64") in pairs


def test_pyarrow_works_without_what_layers_leave_out(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed beside the CDK: pip install -e .[lambda]")
    shutil.copytree(Path(pyarrow.__file__).parent, tmp_path / "pyarrow")
    leave_out(tmp_path, patterns_of(REPOSITORY / "layers" / "deps"))
    program = (
        "import pyarrow, pyarrow.compute, pyarrow.csv, pyarrow.dataset, pyarrow.json, pyarrow.parquet as parquet;"
        "table = pyarrow.table({'a': [1, 2]}); parquet.write_table(table, 'a.parquet');"
        "assert parquet.read_table('a.parquet') == table; print(pyarrow.__file__)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(str(tmp_path))
