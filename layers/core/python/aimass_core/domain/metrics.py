"""The metrics of each task: their names, which one a model is known by, and which are the better the smaller."""

import difflib
from collections.abc import Collection, Mapping

from aimass_core.domain.signatures import Task
from aimass_core.errors import ErrorDetail, InvalidRequestError

_OF_CLASSES = ("accuracy", "f1", "log_loss", "roc_auc")
_OF_VALUES = ("rmse", "mae", "r2")
METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: _OF_CLASSES,
    Task.MULTICLASS: _OF_CLASSES,
    Task.MULTILABEL: (
        *("f1", "f1_micro", "subset_accuracy", "hamming_loss", "log_loss", "roc_auc", "average_precision"),
    ),
    Task.REGRESSION: _OF_VALUES,
    Task.FORECASTING: (*_OF_VALUES, "scaled_mse", "scaled_mae"),
}
PRIMARY_METRICS: Mapping[Task, str] = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "accuracy",
    Task.MULTILABEL: "roc_auc",
    Task.REGRESSION: "rmse",
    Task.FORECASTING: "rmse",
}
LOWER_IS_BETTER = frozenset({"rmse", "mae", "log_loss", "hamming_loss", "scaled_mse", "scaled_mae"})


def check_metric(name: str, tasks: Collection[Task], *, location: str, figures: Collection[str] = ()) -> None:
    """Holds the name of a metric against what there is.

    Args:
        name: As a request has it.
        tasks: Those that it may come to: one where it is known, else those that the data allow.
        location: Of the name in the request.
        figures: Names that are no metrics and allowed too.

    Raises:
        InvalidRequestError: None of the tasks has it.
    """
    known = list(dict.fromkeys([*(metric for task in tasks for metric in METRICS[task]), *figures]))
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}."
    raise InvalidRequestError(
        f"{name!r} is no metric of a task that is {' or '.join(tasks)}. {hint}",
        details=[ErrorDetail(location=location, message=f"must be one of {', '.join(known)}")],
    )
