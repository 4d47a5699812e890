"""Writes the checked-in templates: `python -m infra.cdk.snapshot`, or `--check` to compare only.

The local cloud deploys these files, so that it needs neither Node nor the CDK. They are what `cdk synth` gives for the
environment `local`, with the name of each asset in place of its archive.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from infra.cdk.app import add_stacks
from infra.cdk.assets import ASSETS, Asset, PlaceholderCode
from infra.cdk.settings import LOCAL

TEMPLATE_PATH = Path(__file__).parent / "template"

_CONTEXT = {"aws:cdk:enable-path-metadata": False, "aws:cdk:enable-asset-metadata": False}


def build_snapshot() -> dict[str, str]:
    """File name to content of everything that is checked in."""
    with tempfile.TemporaryDirectory() as out:
        app = cdk.App(
            outdir=out,
            analytics_reporting=False,
            context=_CONTEXT,
            default_stack_synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        add_stacks(app, settings=LOCAL, code=PlaceholderCode())
        stacks = app.synth().stacks
        files = {f"{stack.stack_name}.template.json": _to_text(stack.template) for stack in stacks}
    files["stacks.json"] = _to_text([stack.stack_name for stack in stacks])
    files["assets.json"] = _to_text({name: _describe(asset) for name, asset in ASSETS.items()})
    return files


def find_differences(files: Mapping[str, str], path: Path = TEMPLATE_PATH) -> list[str]:
    """Names of files that are missing, superfluous or different on disk."""
    on_disk = {file.name: file.read_text() for file in path.glob("*.json")}
    return sorted(name for name in files.keys() | on_disk.keys() if files.get(name) != on_disk.get(name))


def write_snapshot(files: Mapping[str, str], path: Path = TEMPLATE_PATH) -> None:
    """Makes the folder hold exactly these files."""
    path.mkdir(exist_ok=True)
    for file in path.glob("*.json"):
        if file.name not in files:
            file.unlink()
    for name, text in files.items():
        (path / name).write_text(text)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.cdk.snapshot", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if something differs")
    only_check: bool = parser.parse_args().check
    files = build_snapshot()
    differences = find_differences(files)
    if only_check and differences:
        sys.stderr.write(f"stale in {TEMPLATE_PATH}: {', '.join(differences)}: run python -m infra.cdk.snapshot\n")
        return 1
    if not only_check:
        write_snapshot(files)
    return 0


def _describe(asset: Asset) -> dict[str, Any]:
    description: dict[str, Any] = {}
    if asset.files:
        description["files"] = list(asset.files)
    if asset.root:
        description["root"] = asset.root
    if asset.heavy:
        description["heavy"] = True
    return description


def _to_text(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
