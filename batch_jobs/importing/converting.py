"""The process that opens a model of somebody else: `python -m batch_jobs.importing.converting FOLDER`.

It has no credentials and knows nothing of the platform. It reads `order.json` and leaves the graph, inputs, and what
the model's own tool answers to them; or `refusal.txt`.
"""

import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from aimass_core.errors import AimassError
from batch_jobs.importing import converters, samples
from batch_jobs.importing.contract import (
    ANSWERS,
    DESCRIPTION,
    GRAPH,
    INPUTS,
    ORDER,
    REFUSAL,
    Description,
    Order,
    foreign,
)

_REFUSED = 3


def main(folder: Path) -> int:
    """Returns the exit code."""
    order = Order.model_validate_json((folder / ORDER).read_bytes())
    try:
        _convert(order, folder)
    except AimassError as error:
        (folder / REFUSAL).write_text(error.message, "utf-8")
        return _REFUSED
    return 0


def _convert(order: Order, folder: Path) -> None:
    given = samples.load(order.samples_path) if order.samples_path is not None else None
    conversion = converters.find(order.format)(order, given)
    columns = order.spec.columns or conversion.columns
    if columns is None and given is not None and given.table is not None:
        columns = [str(name) for name in given.table.columns]
    conversion = replace(conversion, columns=columns)
    inputs = samples.to_inputs(conversion, given)
    with foreign(f"{order.model_path.name} does not answer rows of the shapes that it names"):
        answers = conversion.answer(inputs)
    (folder / GRAPH).write_bytes(conversion.model.SerializeToString())
    np.savez(folder / INPUTS, allow_pickle=False, **inputs)
    np.savez(folder / ANSWERS, *[_plain(each) for each in answers], allow_pickle=False)
    description = Description(
        framework=conversion.framework,
        versions={name: metadata.version(name) for name in conversion.libraries},
        task=conversion.task,
        labels=None if conversion.labels is None else list(conversion.labels),
        columns=None if conversion.columns is None else list(conversion.columns),
        scores=conversion.scores,
        has_samples=given is not None,
    )
    (folder / DESCRIPTION).write_text(description.model_dump_json(), "utf-8")


def _plain(values: np.ndarray) -> np.ndarray:
    """Texts in a form that needs no pickle."""
    return values.astype(np.str_) if values.dtype == object else values


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
