"""Which test shows that a fault of `faults.csv` is survived: `python -m tests.reliability > docs/RELIABILITY.md`.

A test is of a row where its name begins with it: `test_g8_...` of G8; in the console's own tests, "g8: ...".
`figures.md` is what runs that are too long for CI have shown.
"""

import ast
import csv
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).parent
UI = TESTS.parent / "functions" / "console" / "ui" / "src"
FIGURES = TESTS / "figures.md"
PAGE = TESTS.parent / "docs" / "RELIABILITY.md"
# Rows without a test, and why.
UNTESTED = {
    "J5": "Real account only: memory limits, throttles and freezing are Lambda's own; the emulator has none of them. "
    "That an event is delivered twice or a handler dies in the middle is simulated (J6).",
    "J7": "Real account only: CloudFormation's rollback. New fields of rows have defaults, so that old and new code "
    "read both; no test deploys half a stack.",
    "J9": "Real account only. What is lost with a region is what was written since the last export of a workspace "
    "(`aimass workspaces export`); within a region tables can be restored to any second and buckets keep versions. "
    "The restore from an export is tested (`tests/e2e/test_workspace_moves.py`).",
}
_NAME = re.compile(r"test_([a-j]\d+)_")
_UI_NAME = re.compile(r"""\b(?:it|test)\(\s*["'`](([A-Ja-j]\d+): [^"'`]+)["'`]""")


def find_tests() -> Mapping[str, list[tuple[str, str]]]:
    """File and name of each row's tests."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, name, row in (*_python_tests(), *_ui_tests()):
        found[row.upper()].append((path, name))
    return found


def _python_tests() -> Iterator[tuple[str, str, str]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (match := _NAME.match(node.name)):
                yield path.relative_to(TESTS.parent).as_posix(), node.name, match[1]


def _ui_tests() -> Iterator[tuple[str, str, str]]:
    for path in sorted(UI.rglob("*.test.ts*")):
        for match in _UI_NAME.finditer(path.read_text("utf-8")):
            yield path.relative_to(TESTS.parent).as_posix(), match[1], match[2]


def build_page() -> str:
    """The page as Markdown."""
    with (TESTS / "faults.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    tests = find_tests()
    tested = [row for row in rows if row["id"] in tests]
    lines = [
        "# Faults and bad inputs",
        "",
        "Made by `python -m tests.reliability > docs/RELIABILITY.md`; a test compares both.",
        "",
        f"{len(tested)} of {len(rows)} rows have a test that is named after them, together "
        f"{sum(len(tests[row['id']]) for row in tested)} tests. The others say why they have none.",
    ]
    lines += ["", FIGURES.read_text("utf-8").strip()]
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            lines += ["", f"## {group}", "", "| | fault | expected | tests |", "|---|---|---|---|"]
        shown = "<br>".join(f"`{path}` {_shorten(name)}" for path, name in tests.get(row["id"], ()))
        lines.append(f"| {row['id']} | {row['fault']} | {row['expected']} | {shown or UNTESTED[row['id']]} |")
    return "\n".join(lines) + "\n"


def _shorten(name: str) -> str:
    return re.sub(r"^(test_)?[A-Ja-j]\d+(_|: )", "", name).replace("_", " ")


if __name__ == "__main__":
    sys.stdout.write(build_page())
