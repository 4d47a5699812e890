"""Environment variables of functions and containers, built from the classes that will read them."""

from collections.abc import Collection, Mapping

from pydantic_settings import BaseSettings


def environment_of(
    settings: type[BaseSettings], values: Mapping[str, str], *, given_later: Collection[str] = ()
) -> dict[str, str]:
    """The variables that `settings` reads, so that a forgotten or misspelt one fails the synthesis.

    Args:
        settings: the settings class of one deployable.
        values: field name to value.
        given_later: required fields that whoever starts the process provides.

    Raises:
        ValueError: a required field has no value, or a value has no field.
    """
    fields = settings.model_fields
    required = {name for name, field in fields.items() if field.is_required()}
    missing = required - values.keys() - set(given_later)
    unknown = (values.keys() | set(given_later)) - fields.keys()
    if missing or unknown:
        raise ValueError(f"{settings.__name__}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper(): value for name, value in values.items()}
