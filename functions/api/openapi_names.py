"""What generators of clients stumble over in an OpenAPI document: two schemas of one name, and defaults of choices."""

import json
import re
from collections.abc import Iterator
from typing import Any

_REF = "#/components/schemas/"
# As Pydantic tells models of one name apart.
_QUALIFIED = re.compile(r"(?:\w+?__)+(?P<module>[a-z_]+)__(?P<name>[A-Z]\w*)")


def simplify(document: dict[str, Any]) -> dict[str, Any]:
    """The same document: `aimass_core__domain__costs__Budget` is `CostsBudget`, in its title too.

    A choice of models (`oneOf`) is told without its default, for which few languages have an expression; that it may be
    left out is in `required`.
    """
    schemas = document["components"]["schemas"]
    names = {name: _shorten(found) for name in schemas if (found := _QUALIFIED.fullmatch(name))}
    text = json.dumps(document)
    for name, short in names.items():
        text = text.replace(f'"{_REF}{name}"', f'"{_REF}{short}"')
    renamed: dict[str, Any] = json.loads(text)
    renamed["components"]["schemas"] = {
        names.get(name, name): {**schema, "title": names[name]} if name in names else schema
        for name, schema in renamed["components"]["schemas"].items()
    }
    for node in _objects(renamed):
        if "oneOf" in node and isinstance(node.get("default"), dict):
            del node["default"]
    return renamed


def _shorten(found: re.Match[str]) -> str:
    return "".join(word.capitalize() for word in found["module"].split("_")) + found["name"]


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(child)
