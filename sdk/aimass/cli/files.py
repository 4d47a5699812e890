"""Files of settings that commands take: YAML, and JSON, which is YAML."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import typer
import yaml

# As YAML 1.2 reads numbers: with 1.1, which PyYAML speaks, 1e-4 is a text.
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)$")


class _Loader(yaml.SafeLoader):
    """Reads 1e-4 as a number and refuses a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As PyYAML's, which would take the last one."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read_settings(path: Path, *, option: str, example: str) -> dict[str, Any]:
    """What a file says. Raises BadParameter, which names the option, where it is no object of YAML or JSON."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        raise typer.BadParameter(f"There is no file {str(path)!r}.", param_hint=option) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is neither JSON nor YAML: {error}", param_hint=option) from error
    if not isinstance(found, dict):
        raise typer.BadParameter(
            f"{path} holds a {type(found).__name__}, and an object such as {example} is wanted", param_hint=option
        )
    return found
