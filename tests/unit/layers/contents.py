"""What a layer holds, told from its requirements and the packages that are installed here. Installs nothing."""

import fnmatch
import importlib.metadata
import inspect
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[3]
LAYER_OF_FUNCTION = {"authorizer": "identity", "predictions": "inference", "previews": "preparation"}
COMMON_LAYER = "deps"
# What Lambda's Python runtime brings along.
RUNTIME = "boto3"
OWN_PACKAGES = frozenset({"aimass_core", "functions"})


def function_names() -> list[str]:
    """Every folder of functions/ that is one."""
    return sorted(path.parent.name for path in (REPOSITORY / "functions").glob("*/app.py"))


def layer_of(function: str) -> str:
    """The third-party layer that a function gets."""
    return LAYER_OF_FUNCTION.get(function, COMMON_LAYER)


def requirements_of(layer: str) -> list[Requirement]:
    """What a layer is made for; `requirements.txt` beside it locks that, and what it needs in turn."""
    return [Requirement(line) for line in _lines(layer, "requirements.in")]


def locked(path: Path) -> set[str]:
    """`name==version` of every package that a locked requirement file names."""
    lines = path.read_text().splitlines()
    return {line.removesuffix(" \\") for line in lines if "==" in line and not line.startswith((" ", "#"))}


def left_out(layer: str) -> list[str]:
    """Patterns of files that are removed after installation."""
    return _lines(layer, "leave_out.txt")


def distributions_of(*names: str) -> set[str]:
    """The named packages and all that they require, without extras."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [canonicalize_name(requirement.name) for requirement in _required_by(name)]
    return found


def modules_of(distributions: set[str]) -> set[str]:
    """Their top-level modules, also those that are one library of machine code."""
    owners = importlib.metadata.packages_distributions()
    found = {module for module, names in owners.items() if {canonicalize_name(name) for name in names} & distributions}
    for name in distributions:
        alone = [file.name for file in importlib.metadata.distribution(name).files or [] if len(file.parts) == 1]
        found |= {module for module in map(inspect.getmodulename, alone) if module}
    return found


def num_bytes_of(layer: str) -> int:
    """Of the unpacked layer."""
    names = distributions_of(*(requirement.name for requirement in requirements_of(layer)))
    return sum(path.stat().st_size for name in names for path in _files(name, left_out(layer)))


def link_into(folder: Path, names: set[str], patterns: list[str]) -> None:
    """What is left of distributions, in a folder of its own, as links."""
    for name in names:
        root = Path(str(importlib.metadata.distribution(name).locate_file("")))
        for path in _files(name, patterns):
            link = folder / path.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


def _files(distribution: str, patterns: list[str]) -> Iterator[Path]:
    for file in importlib.metadata.distribution(distribution).files or []:
        is_left_out = any(fnmatch.fnmatch(file.as_posix(), pattern) for pattern in patterns)
        path = Path(str(file.locate()))
        if not is_left_out and file.suffix != ".pyc" and ".." not in file.parts and path.is_file():
            yield path


def _required_by(distribution: str) -> list[Requirement]:
    requirements = [Requirement(line) for line in importlib.metadata.distribution(distribution).requires or []]
    return [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]


def _lines(layer: str, name: str) -> list[str]:
    lines = (REPOSITORY / "layers" / layer / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
