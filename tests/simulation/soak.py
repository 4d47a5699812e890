"""Many seeds, and what they were made of: `make soak SEEDS=20000`; a seed that fails is named with its repetition."""

import argparse
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from tests.simulation.faults import When
from tests.simulation.story import crash_points, tell

_CHUNK = 50
_CRASH_STEPS = 60
_NAMES = ("acks", "files", "given_up", "steps", "effects", "faults")


def main(arguments: list[str]) -> int:
    """The exit code: 1 where a seed has failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="Begin nothing new after so many.")
    parser.add_argument("--json", type=Path, help="Where the counts go.")
    parser.add_argument("--crash-points", type=int, default=0, metavar="STORIES", help="Instead: every fault at each.")
    options = parser.parse_args(arguments)
    if options.crash_points:
        return _find_crash_points(range(options.first, options.first + options.crash_points))
    started = time.monotonic()
    total = {"seeds": 0, "failed": 0, **dict.fromkeys(_NAMES, 0)}
    chunks = [
        range(first, min(first + _CHUNK, options.first + options.seeds))
        for first in range(options.first, options.first + options.seeds, _CHUNK)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        running = {pool.submit(_tell_all, chunk, started + options.seconds) for chunk in chunks}
        for done in as_completed(running):
            counts, failures = done.result()
            for name, number in counts.items():
                total[name] += number
            total["failed"] += len(failures)
            sys.stdout.write("".join(f"{failure}\n" for failure in failures))
            seconds = time.monotonic() - started
            sys.stdout.write(
                f"{total['seeds']:,} seeds, {total['acks']:,} acknowledgements, "
                f"{total['failed']} seeds failed, {seconds:,.0f} s\n"
            )
            sys.stdout.flush()
    summary = {**total, "first_seed": options.first, "seconds": round(time.monotonic() - started, 1)}
    sys.stdout.write(f"{json.dumps(summary)}\n")
    if options.json is not None:
        options.json.write_text(json.dumps(summary, indent=1))
    return 1 if total["failed"] else 0


def _find_crash_points(seeds: Iterable[int]) -> int:
    logging.disable(logging.CRITICAL)
    total = Counter[str]()
    for seed in seeds:
        total += crash_points(seed, _CRASH_STEPS, list(When))
        words = f"{total.total()} of {total.total()} effects, each with {len(When)} faults: {dict(total)}"
        sys.stdout.write(f"seed {seed}: {words}\n")
        sys.stdout.flush()
    return 0


def _tell_all(seeds: Iterable[int], until: float) -> tuple[dict[str, int], list[str]]:
    logging.disable(logging.CRITICAL)
    counts, failures = {"seeds": 0, **dict.fromkeys(_NAMES, 0)}, []
    for seed in seeds:
        if time.monotonic() > until:
            break
        counts["seeds"] += 1
        try:
            told = tell(seed)
        except AssertionError as error:
            failures.append(f"seed {seed}: {error}")
            continue
        for name, number in asdict(told).items():
            counts[name] += number
    return counts, failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
