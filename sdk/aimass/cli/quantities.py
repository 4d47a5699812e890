"""Durations and sizes as people write them: 10m, 2MB."""

import re
from datetime import UTC, datetime, timedelta

import typer

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES: dict[str, int] = {
    "": 1,
    **{prefix: 1000**power for power, prefix in enumerate("kmg", start=1)},
    **{f"{prefix}i": 1024**power for power, prefix in enumerate("kmg", start=1)},
}


def to_seconds(text: str, *, option: str) -> int:
    """`90s`, `10m`, `2h` or `1.5h` in seconds. Raises BadParameter, which names the option."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])", text.strip().lower())
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no duration: write a number with s, m, h or d, such as 90s, 10m or 2h", param_hint=option
        )
    return round(float(found[1]) * _SECONDS[found[2]])


def to_moment(text: str | None, *, option: str) -> datetime | None:
    """`7d` (so long ago) or `2026-11-26T17:30:00Z`. Raises BadParameter, which names the option."""
    if text is None:
        return None
    if "-" not in text:
        return datetime.now(UTC) - timedelta(seconds=to_seconds(text, option=option))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no moment: write how long ago, such as 7d, or 2026-11-26T17:30:00Z", param_hint=option
        ) from error
    return moment if moment.tzinfo is not None else moment.astimezone()


def to_bytes(text: str | None, *, option: str) -> int | None:
    """`2MB`, `500KB`, `50k`, `1.5MiB` or `2000` in bytes. Raises BadParameter, which names the option."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*((?:[kmg]i?)?)b?", text.strip().lower())
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no size: write bytes, or a number with a unit, such as 500KB or 2MB", param_hint=option
        )
    return round(float(found[1]) * _BYTES[found[2]])


def format_seconds(seconds: float) -> str:
    """75 -> 1:15; 4000 -> 1:06:40."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
