"""Durations and sizes."""

import pytest
import typer

from aimass.cli.quantities import format_seconds, to_bytes, to_seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), (" 1D ", 86_400), ("5 m", 300)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert to_seconds(text, option="--budget") == seconds


@pytest.mark.parametrize("text", ["10", "m", "", "-5m", "10 minutes", "1h30m", "nan", "1e3s"])
def test_a_duration_without_one_unit_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 90s, 10m or 2h") as caught:
        to_seconds(text, option="--budget")
    assert caught.value.param_hint == "--budget"
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("text", "num_bytes"),
    [
        ("2MB", 2_000_000),
        ("500KB", 500_000),
        ("500kb", 500_000),
        ("50k", 50_000),
        ("1.5MiB", 1_572_864),
        ("2ki", 2048),
        ("2000", 2000),
        ("7 B", 7),
    ],
)
def test_sizes_are_read(text: str, num_bytes: int) -> None:
    assert to_bytes(text, option="--max-model-bytes") == num_bytes


@pytest.mark.parametrize("text", ["2 parsecs", "MB", "k", "-1", "2TB", "iB", "2 ib", ""])
def test_a_size_of_an_unknown_unit_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 500KB or 2MB"):
        to_bytes(text, option="--max-model-bytes")


def test_no_size_is_none() -> None:
    assert to_bytes(None, option="--max-model-bytes") is None


@pytest.mark.parametrize(("seconds", "text"), [(75, "1:15"), (4000, "1:06:40"), (0.4, "0:00"), (-3, "0:00")])
def test_seconds_are_readable(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
