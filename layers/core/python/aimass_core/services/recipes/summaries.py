"""A step in some words, for the report."""

from typing import Any

from aimass_core.domain.recipe_steps import AnyStep

_MAX = 200


def summarize(step: AnyStep) -> str:
    """What it was told to do, without what goes without saying."""
    given = step.model_dump(mode="json", exclude={"do"}, exclude_defaults=True)
    return "; ".join(f"{name} {_words(value)}" for name, value in given.items())[:_MAX]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {each}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
