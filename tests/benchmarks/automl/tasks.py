"""Data sets that AutoML is measured on, from the folder that AIMASS_BENCH_DATA names; the same split for everybody.

Files are as their authors publish them: <folder>/<data set>/<file>. Columns that only number the rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

_ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"),
]

Split = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoMlTask:
    """A table to learn from.

    Attributes:
        name: of the data set.
        metric: roc_auc, accuracy or rmse.
        target: the column.
        positive: of a binary one, the label whose probability is scored.
        read: train and test rows.
    """

    name: str
    metric: str
    target: str
    positive: str | None = None
    read: Callable[[Path], Split]

    @property
    def is_regression(self) -> bool:
        return self.metric == "rmse"

    @property
    def kind(self) -> str:
        """Binary, multiclass or regression: whole numbers may be meant as either."""
        return {"roc_auc": "binary", "accuracy": "multiclass", "rmse": "regression"}[self.metric]

    def write(self, data: Path, folder: Path) -> pd.DataFrame:
        """Leaves train.csv and test.csv, the latter without the target, and returns the test rows with it."""
        train, test = self.read(data / self.name)
        train.to_csv(folder / "train.csv", index=False)
        test.drop(columns=self.target).to_csv(folder / "test.csv", index=False)
        return test

    def score(self, test: pd.DataFrame, predictions: list[float] | list[str]) -> float:
        """Of predictions as `metric` takes them: the probability of `positive`, labels, or numbers."""
        truth = test[self.target]
        if self.metric == "roc_auc":
            return float(roc_auc_score((truth.astype(str) == self.positive).astype(int), predictions))
        if self.is_regression:
            return float(root_mean_squared_error(truth, predictions))
        return float(accuracy_score(truth.astype(str), [str(label) for label in predictions]))


def _split(frame: pd.DataFrame, target: str, *, is_regression: bool) -> Split:
    """Four to one."""
    train, test = train_test_split(
        frame, test_size=0.2, random_state=0, stratify=None if is_regression else frame[target]
    )
    return train, test


def _named(frame: pd.DataFrame, target: int) -> pd.DataFrame:
    """A file without a header."""
    frame.columns = pd.Index([f"c{at}" if at != target else "target" for at in range(frame.shape[1])])
    return frame


def _adult(folder: Path) -> Split:
    parts = [
        pd.read_csv(folder / f"adult-{part}.csv", names=_ADULT, skipinitialspace=True, na_values="?")
        for part in ("train", "test")
    ]
    for part in parts:
        part["income"] = part["income"].str.rstrip(".")
    return parts[0], parts[1]


def _telco_churn(folder: Path) -> Split:
    frame = pd.read_csv(folder / "Telco-Customer-Churn.csv", na_values=" ").drop(columns="customerID")
    return _split(frame, "Churn", is_regression=False)


def _german_credit(folder: Path) -> Split:
    frame = _named(pd.read_csv(folder / "german.csv", header=None), 20)
    frame["target"] = np.where(frame["target"].astype(str).str.strip("'") == "1", "good", "bad")
    return _split(frame, "target", is_regression=False)


def _covtype(folder: Path) -> Split:
    frame = _named(pd.read_csv(folder / "covtype.20k.data", header=None), 54)
    frame["target"] = "type " + frame["target"].astype(str)
    return _split(frame, "target", is_regression=False)


def _letter(folder: Path) -> Split:
    frame = pd.read_csv(folder / "LetterRecognition.csv")
    return frame.iloc[:16_000], frame.iloc[16_000:]


def _california_housing(folder: Path) -> Split:
    return _split(pd.read_csv(folder / "housing.csv"), "median_house_value", is_regression=True)


def _abalone(folder: Path) -> Split:
    return _split(_named(pd.read_csv(folder / "abalone.csv", header=None), 8), "target", is_regression=True)


def _lightgbm_binary(folder: Path) -> Split:
    parts = [_named(pd.read_csv(folder / f"binary.{part}", sep="\t", header=None), 0) for part in ("train", "test")]
    for part in parts:
        part["target"] = np.where(part["target"] > 0, "yes", "no")
    return parts[0], parts[1]


def _titanic(folder: Path) -> Split:
    frame = pd.read_csv(folder / "titanic.csv").drop(columns="PassengerId")
    frame["Survived"] = np.where(frame["Survived"] > 0, "yes", "no")
    return _split(frame, "Survived", is_regression=False)


def _wine_quality(folder: Path) -> Split:
    frame = pd.read_csv(folder / "winequality-white.csv", header=None, sep=None, engine="python")
    return _split(_named(frame, 11), "target", is_regression=True)


TASKS: Mapping[str, AutoMlTask] = {
    task.name: task
    for task in (
        AutoMlTask(name="adult", metric="roc_auc", target="income", positive=">50K", read=_adult),
        AutoMlTask(name="telco-churn", metric="roc_auc", target="Churn", positive="Yes", read=_telco_churn),
        AutoMlTask(name="german-credit", metric="roc_auc", target="target", positive="good", read=_german_credit),
        AutoMlTask(name="covtype-20k", metric="accuracy", target="target", read=_covtype),
        AutoMlTask(name="letter", metric="accuracy", target="lettr", read=_letter),
        AutoMlTask(name="california-housing", metric="rmse", target="median_house_value", read=_california_housing),
        AutoMlTask(name="abalone", metric="rmse", target="target", read=_abalone),
        AutoMlTask(name="lightgbm-binary", metric="roc_auc", target="target", positive="yes", read=_lightgbm_binary),
        AutoMlTask(name="titanic", metric="roc_auc", target="Survived", positive="yes", read=_titanic),
        AutoMlTask(name="wine-quality", metric="rmse", target="target", read=_wine_quality),
    )
}
