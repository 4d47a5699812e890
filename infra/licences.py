"""Under which licences the packages of bills of materials are: `python -m infra.licences SBOM...` (CycloneDX, JSON).

Prints each package with its licence, and ends with 1 where `requirements/licences.toml` lets one of them in by no line.
With `--locked FILE` only packages that this requirement file names count: what else is installed is not shipped.
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY_PATH = Path(__file__).parents[1] / "requirements" / "licences.toml"
_OPERATOR = re.compile(r" AND | OR |[()]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Licences that are allowed, and packages that are whatever theirs is, with the reason."""

    allowed: frozenset[str]
    exceptions: Mapping[str, str]

    @classmethod
    def load(cls, path: Path = POLICY_PATH) -> "Policy":
        """Reads the file."""
        found = tomllib.loads(path.read_text("utf-8"))
        return cls(allowed=frozenset(found["allowed"]), exceptions=found["exceptions"])

    def lets_in(self, name: str, licences: Sequence[str]) -> bool:
        """Where a package names several, each of them has to be allowed."""
        if name in self.exceptions:
            return True
        return bool(licences) and all(self._is_allowed(licence) for licence in licences)

    def _is_allowed(self, licence: str) -> bool:
        parts = [part.strip() for part in _OPERATOR.split(licence) if part.strip()]
        # Names of no expression may have brackets of their own.
        return licence in self.allowed or (bool(parts) and all(part in self.allowed for part in parts))


def licences_of(sbom: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name of each component, as registries spell it, to what it says its licences are."""
    return {
        _name_of(component): [_text_of(choice) for choice in component.get("licenses", [])]
        for component in sbom["components"]
    }


def find_refused(licences: Mapping[str, Sequence[str]], policy: Policy) -> dict[str, Sequence[str]]:
    """Packages that the policy does not let in."""
    return {name: named for name, named in licences.items() if not policy.lets_in(name, named)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.licences", description=__doc__)
    parser.add_argument("sboms", nargs="+", type=Path, metavar="SBOM")
    parser.add_argument("--locked", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    policy = Policy.load()
    found = {
        name: licences
        for path in options.sboms
        for name, licences in licences_of(json.loads(path.read_text("utf-8"))).items()
    }
    if options.locked:
        names = re.findall(r"^([a-z0-9-]+)==", options.locked.read_text("utf-8"), re.MULTILINE)
        found = {name: found[name] for name in names if name in found}
    for name, licences in sorted(found.items()):
        sys.stdout.write(f"{name}\t{', '.join(licences) or '-'}\t{policy.exceptions.get(name, '')}\n")
    refused = find_refused(found, policy)
    for name, licences in sorted(refused.items()):
        words = ", ".join(licences) or "none that it names"
        sys.stderr.write(f"{name}: {words}: not in {POLICY_PATH.name}: use another package, or say there why not\n")
    return 1 if refused else 0


def _name_of(component: Mapping[str, Any]) -> str:
    group = component.get("group")
    name = f"{group}/{component['name']}" if group else str(component["name"])
    return re.sub(r"[-_.]+", "-", name).lower() if not group else name


def _text_of(choice: Mapping[str, Any]) -> str:
    licence = choice.get("license", {})
    return str(choice.get("expression") or licence.get("id") or licence.get("name") or "?")


if __name__ == "__main__":
    sys.exit(main())
