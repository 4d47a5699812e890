"""Pickles of scikit-learn, by joblib or pickle: estimators, and pipelines that take tables."""

from typing import Any

import joblib
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import ML_DOMAIN, OPSET
from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, UnfitError, foreign

_MATRIX = "features"
# skl2onnx knows trees as lists, which end with version 4.
_ML_OPSET = 3


def convert(order: Order, samples: Samples | None) -> Conversion:
    """A pipeline that chooses columns by their names takes each of them, by the types of the sample rows; what else was
    fitted on rows takes one matrix. Raises UnfitError where it cannot be opened or converted."""
    hint = "it may need another version of scikit-learn, or classes of a program that is not here"
    with foreign(f"{order.model_path.name} cannot be opened ({hint})"):
        # NOTE: this runs what the file says. The order is only given where the user trusts it.
        estimator = joblib.load(order.model_path)
    if not hasattr(estimator, "predict"):
        raise UnfitError(f"{order.model_path.name} holds a {type(estimator).__name__}, which does not predict.")
    types, columns = _inputs_of(estimator, samples)
    is_classifier = hasattr(estimator, "classes_") and hasattr(estimator, "predict_proba")
    options = {id(estimator): {"zipmap": False}} if is_classifier else None
    with foreign(f"skl2onnx does not convert a {type(estimator).__name__}"):
        graph = to_onnx(estimator, initial_types=types, options=options, target_opset={"": OPSET, ML_DOMAIN: _ML_OPSET})
    if is_classifier:
        del graph.graph.output[0]
    is_table = columns is None

    def answer(inputs: Tensors) -> list[Array]:
        rows = _to_table(inputs) if is_table else _named(estimator, inputs[_MATRIX])
        found = estimator.predict_proba(rows) if is_classifier else estimator.predict(rows)
        return [np.asarray(found).reshape(len(found), -1)]

    classes = [str(each) for each in estimator.classes_] if is_classifier else None
    return Conversion(
        model=graph,
        framework="scikit-learn",
        libraries=["scikit-learn", "skl2onnx"],
        answer=answer,
        task=_task_of(estimator, classes),
        labels=classes,
        columns=columns,
        scores=graph.graph.output[-1].name,
    )


def _inputs_of(estimator: Any, samples: Samples | None) -> tuple[list[tuple[str, Any]], list[str] | None]:
    table = samples.table if samples is not None else None
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [])]
    if names and table is not None:
        if missing := [name for name in names if name not in table.columns]:
            raise UnfitError(f"The sample rows lack the columns {missing[:10]} that the model reads.")
        kinds = [
            FloatTensorType([None, 1]) if _is_number(table[name]) else StringTensorType([None, 1]) for name in names
        ]
        if any(isinstance(kind, StringTensorType) for kind in kinds) or hasattr(estimator, "steps"):
            return list(zip(names, kinds, strict=True)), None
    if hasattr(estimator, "steps") and names:
        raise UnfitError(
            "It is a pipeline that was fitted on a table: which of its columns are numbers and which are text, sample "
            "rows say. Give some: --samples rows.csv"
        )
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise UnfitError(f"The {type(estimator).__name__} does not say how many features it takes: it is not fitted.")
    return [(_MATRIX, FloatTensorType([None, int(width)]))], names or [f"x{index}" for index in range(int(width))]


def _is_number(column: Any) -> bool:
    return bool(column.dtype.kind in "iufb")


def _to_table(inputs: Tensors) -> Any:
    import pandas as pd

    return pd.DataFrame({name: values.reshape(-1) for name, values in inputs.items()})


def _named(estimator: Any, matrix: Array) -> Any:
    import pandas as pd

    names = getattr(estimator, "feature_names_in_", None)
    return matrix if names is None else pd.DataFrame(matrix, columns=names)


def _task_of(estimator: Any, classes: list[str] | None) -> Task | None:
    if classes is not None:
        return Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    kind = getattr(estimator, "_estimator_type", None) or getattr(estimator.__sklearn_tags__(), "estimator_type", None)
    return Task.REGRESSION if kind == "regressor" else None
