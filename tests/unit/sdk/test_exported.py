"""The script in an exported model reads cells as the endpoint does."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aimass
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from aimass_core.inference.rows import cells

_SCRIPT = runpy.run_path(str(Path(aimass.__file__).parent / "exported" / "predict.py"), run_name="exported")


@pytest.mark.parametrize(
    ("column_type", "written", "cell"),
    [
        ("number", None, "12.5"),
        ("number", "$1,234.5", "$1,200.50"),
        ("number", "$1,234.5", "-$7"),
        ("number", "$1,234.5", "($1,000)"),
        ("number", "1.234,5€", "1.200 €"),
        ("number", "1.234,5€", "0.5"),
        ("number", "1 234.5kr", "12\u00a0345 kr"),
        ("number", "Fr.1'234.5", "Fr. 1'200.5"),
        ("number", "1234.5%", "12 %"),
        ("number", None, "n/a"),
        ("number", None, "?"),
        ("datetime", "%d/%m/%Y", "03/02/2026"),
        ("datetime", "%d/%m/%Y", "2026-02-03"),
        ("datetime", None, "2026-02-03T12:00:00Z"),
    ],
)
def test_cells_are_read_as_by_the_endpoint(column_type: str, written: str | None, cell: Any) -> None:
    kind = ColumnType(column_type)
    datatype = Datatype.FP64 if kind is ColumnType.DATETIME else Datatype.FP32
    spec = TensorSpec(name="x", datatype=datatype, shape=[-1, 1], column="x", column_type=kind, written=written)
    expected, errors = cells.to_tensor(spec, [cell])
    assert not errors
    np.testing.assert_array_equal(_SCRIPT["to_tensor"](spec.model_dump(mode="json"), [{"x": cell}]), expected)
