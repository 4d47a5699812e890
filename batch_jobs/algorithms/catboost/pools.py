"""Examples as CatBoost's pools, and the names under which it knows the codes of categories."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from batch_jobs.algorithms.learning import Problem

# A tree tests for single categories, in ONNX too by one node: on generated tables better than codes ordered by
# frequency, with 600 of them still. Beyond so many, codes are split as quantities. CatBoost's statistics of the target
# by category are not used: no operator of ONNX is one of them.
MAX_NATIVE_CATEGORIES = 1000


def native_columns(problem: Problem) -> list[int]:
    """The columns whose codes are categories to CatBoost."""
    first = problem.num_numeric
    return [
        first + position for position, size in enumerate(problem.cardinalities) if 1 < size <= MAX_NATIVE_CATEGORIES
    ]


def build_pool(features: NDArray[Any], problem: Problem, targets: NDArray[Any] | None = None) -> catboost.Pool:
    """Quantities as they are, the codes of native columns as categories."""
    natives = native_columns(problem)
    columns: dict[str, Any] = {str(column): features[:, column] for column in range(features.shape[1])}
    for column in natives:
        size = problem.cardinalities[column - problem.num_numeric]
        columns[str(column)] = pd.Categorical.from_codes(features[:, column].astype(np.int64), _names(size))
    frame = pd.DataFrame(columns, copy=False)
    return catboost.Pool(frame, targets, cat_features=natives, thread_count=problem.num_threads)


def to_document(model: catboost.CatBoost) -> dict[str, Any]:
    """The model as CatBoost writes it in JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(path, format="json")
        document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def codes_of_hashes(document: Mapping[str, Any]) -> dict[int, int]:
    """The code of each category that a model, as `to_document` has it, may test for. It holds the hashes of their
    names only, and no call answers with those: a model that has one tree for each hash is asked for every code.
    """
    known = document["features_info"].get("categorical_features", [])
    hashes = sorted({value for feature in known for value in feature.get("values", ())})
    if not hashes:
        return {}
    trees = [
        {
            "leaf_values": [0.0, number + 1],
            "leaf_weights": [1, 1],
            "splits": [{"cat_feature_index": 0, "split_index": number, "split_type": "OneHotFeature", "value": value}],
        }
        for number, value in enumerate(hashes)
    ]
    feature = {"feature_id": "0", "feature_index": 0, "flat_feature_index": 0, "values": hashes}
    asked = {
        "features_info": {"categorical_features": [feature]},
        "model_info": {},
        "oblivious_trees": trees,
        "scale_and_bias": [1, [0]],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_text(json.dumps(asked), encoding="utf-8")
        model = catboost.CatBoost().load_model(path, format="json")
    frame = pd.DataFrame({"0": pd.Categorical(_names(MAX_NATIVE_CATEGORIES))})
    numbers = model.predict(catboost.Pool(frame, cat_features=[0]), prediction_type="RawFormulaVal", thread_count=1)
    return {hashes[int(number) - 1]: code for code, number in enumerate(numbers) if number}


def _names(size: int) -> list[str]:
    return [str(code) for code in range(size)]
