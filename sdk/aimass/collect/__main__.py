"""`python -m aimass.collect my_source:orders --config config.json --state state.json --stream orders`."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from aimass.collect.emitting import emit_all, load
from aimass_core.errors import AimassError


def main(arguments: list[str] | None = None) -> int:
    """Says Singer messages on standard output; whatever the collector prints goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m aimass.collect", description=__doc__)
    parser.add_argument("entry_point", help="module:function, or module:Class")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--catalog", type=Path, help="Of Singer; not looked at.")
    parser.add_argument("--stream", action="append", default=[], help="May be repeated. Default: all.")
    given = parser.parse_args(arguments)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="\n")
    sys.stdout = sys.stderr
    sys.path.insert(0, str(Path.cwd()))
    try:
        with output:
            emit_all(
                load(given.entry_point),
                config=_read(given.config),
                state=_read(given.state),
                only=given.stream,
                emit=lambda line: print(line, file=output, flush=line.startswith('{"type": "STATE"')),
            )
    except AimassError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    except BrokenPipeError:
        # Whoever reads has enough.
        return 0
    return 0


def _read(path: Path | None) -> dict[str, Any]:
    found = {} if path is None else json.loads(path.read_text("utf-8"))
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
