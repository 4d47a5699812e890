"""The table of what becomes of hostile files: `python -m tests.corpus.figures` brings them all, and prints it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_HEAD = "| family | files | refused | contained | slowest, s of processor | peak memory, MiB |"


def to_table(families: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Markdown, a line for each family and one for all."""
    yield _HEAD
    yield "|---|--:|--:|--:|--:|--:|"
    for name, files in families.items():
        yield _line(name, files)
    yield _line("all", [file for files in families.values() for file in files])


def _line(name: str, files: Sequence[Mapping[str, Any]]) -> str:
    refused = sum(file["reason"] is not None for file in files)
    seconds = max((file["seconds"] for file in files), default=0.0)
    peak = max((file["peak_bytes"] for file in files), default=0) // 1024**2
    return f"| {name} | {len(files)} | {refused} | {len(files) - refused} | {seconds:.1f} | {peak} |"


if __name__ == "__main__":
    from tests.corpus import front_doors
    from tests.corpus.test_corpus import bring

    sys.stdout.write("\n".join(to_table({name: bring(name) for name in front_doors.DOORS})) + "\n")
