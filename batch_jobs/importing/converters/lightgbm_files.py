"""LightGBM's own text files."""

import re

import lightgbm
import numpy as np

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.algorithms.lightgbm.graph import to_graph
from batch_jobs.algorithms.lightgbm.single_precision import to_single_precision
from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, UnfitError

_TASKS = {
    "binary": Task.BINARY,
    "multiclass": Task.MULTICLASS,
    "regression": Task.REGRESSION,
    "regression_l1": Task.REGRESSION,
    "huber": Task.REGRESSION,
    "quantile": Task.REGRESSION,
}


def convert(order: Order, samples: Samples | None) -> Conversion:  # noqa: ARG001 - the file says its width
    """Raises UnfitError for what our graph of trees cannot say: other objectives, categories, means of trees."""
    text = order.model_path.read_text("utf-8", errors="replace")
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise UnfitError(f"LightGBM cannot open {order.model_path.name}: {str(error)[:300]}") from error
    found = re.search(r"^objective=(\S+)(.*)$", text, flags=re.MULTILINE)
    objective = found[1] if found else "none"
    if (
        objective not in _TASKS
        or "sigmoid:1" not in f"{found[2] if found else ''} sigmoid:1".partition(" sigmoid:1")[1]
    ):
        raise UnfitError(f"The objective {objective} is not converted; these are: {', '.join(_TASKS)}.")
    if re.search(r"^average_output", text, flags=re.MULTILINE):
        raise UnfitError("A LightGBM forest (boosting rf), whose trees are averaged, is not converted.")
    task = _TASKS[objective]
    single = to_single_precision(booster, num_rounds=booster.num_trees() // booster.num_model_per_iteration())
    num_outputs = max(booster.num_model_per_iteration(), 2) if task.is_classification else 1
    graph = to_graph(single, task=task, num_outputs=num_outputs, width=booster.num_feature())
    if graph is None:
        raise UnfitError("Its trees split by sets of categories, which are not converted: encode these as numbers.")

    def answer(inputs: Tensors) -> list[Array]:
        values = np.asarray(booster.predict(np.asarray(inputs[FEATURES], np.float64)), np.float64)
        if task is Task.BINARY:
            return [np.stack([1 - values, values], axis=1)]
        return [values.reshape(len(values), -1)]

    return Conversion(
        model=graph,
        framework="lightgbm",
        libraries=["lightgbm"],
        answer=answer,
        task=task,
        columns=booster.feature_name(),
        scores=SCORES,
    )
