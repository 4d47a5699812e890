"""XGBoost's own files: JSON, UBJSON and the old binary one."""

import json

import numpy as np
import onnx
import xgboost

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.algorithms.xgboost.graph import to_graph
from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, UnfitError

_TASKS = {
    "binary:logistic": Task.BINARY,
    "multi:softprob": Task.MULTICLASS,
    "multi:softmax": Task.MULTICLASS,
    "reg:squarederror": Task.REGRESSION,
    "reg:absoluteerror": Task.REGRESSION,
    "reg:pseudohubererror": Task.REGRESSION,
}


def convert(order: Order, samples: Samples | None) -> Conversion:  # noqa: ARG001 - the file says its width
    """Raises UnfitError for what our graph of trees cannot say: other objectives, weights of dart, categories."""
    booster = xgboost.Booster()
    try:
        booster.load_model(str(order.model_path))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise UnfitError(f"XGBoost cannot open {order.model_path.name}: {str(error)[:300]}") from error
    learner = json.loads(booster.save_raw("json"))["learner"]
    objective, kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    if objective not in _TASKS:
        raise UnfitError(f"The objective {objective} is not converted; these are: {', '.join(_TASKS)}.")
    if kind != "gbtree":
        raise UnfitError(f"A booster of the kind {kind} is not converted, only gbtree.")
    trees = learner["gradient_booster"]["model"]["trees"]
    if any(tree["categories_nodes"] for tree in trees):
        raise UnfitError("Its trees split by sets of categories, which are not converted: encode these as numbers.")
    task = _TASKS[objective]
    num_outputs = max(int(learner["learner_model_param"]["num_class"]), 2) if task.is_classification else 1
    graph = to_graph(booster, task=task, num_outputs=num_outputs, width=booster.num_features())
    if graph is None:
        raise UnfitError("No tree of the booster says anything: it was trained on nothing, or for no rounds.")
    booster.set_param({"objective": "multi:softprob"} if objective == "multi:softmax" else {})

    def answer(inputs: Tensors) -> list[Array]:
        rows = xgboost.DMatrix(inputs[FEATURES], feature_names=booster.feature_names)
        found = np.asarray(booster.predict(rows, validate_features=False), np.float32)
        if task is Task.BINARY:
            return [np.stack([1 - found, found], axis=1)]
        return [found.reshape(len(found), -1)]

    assert isinstance(graph, onnx.ModelProto)  # noqa: S101 - was looked at
    return Conversion(
        model=graph,
        framework="xgboost",
        libraries=["xgboost-cpu"],
        answer=answer,
        task=task,
        columns=booster.feature_names,
        scores=SCORES,
    )
