"""Ensembles of trees."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from aimass_core.domain.signatures import Task


class XGBoostHyperparameters(Request):
    """Gradient-boosted trees (Chen & Guestrin 2016), early-stopped on the validation channel."""

    num_rounds: int = Field(default=1000, ge=1, le=20_000, description="At most; early stopping chooses.")
    early_stopping_rounds: int = Field(default=50, ge=1, le=1_000)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_depth: int = Field(default=6, ge=1, le=16)
    min_child_weight: float = Field(default=1.0, ge=0, le=1_000)
    subsample: float = Field(default=0.9, gt=0, le=1)
    colsample_bytree: float = Field(default=0.8, gt=0, le=1)
    reg_alpha: float = Field(default=0.0, ge=0, le=1_000)
    reg_lambda: float = Field(default=1.0, ge=0, le=1_000)
    max_bin: int = Field(default=256, ge=16, le=4096)


XGBOOST = AlgorithmSpec(
    name="xgboost",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=XGBoostHyperparameters,
    implementations={
        "xgboost": Implementation(
            learner="batch_jobs.algorithms.xgboost.trees:Trees",
            libraries=("xgboost-cpu",),
            is_distributed=True,
            is_streamed=True,
            takes_soft_targets=True,
        )
    },
    is_of_trees=True,
    # Between Grinsztajn, Oyallon and Varoquaux 2022 and TabRepo (Salinas and Erickson 2024). Early stopping chooses the
    # number of rounds; a rate below 0.02 would need more of them than there are.
    space={
        "learning_rate": FloatDistribution(type="float", low=0.02, high=0.3, log=True),
        "max_depth": IntDistribution(type="int", low=2, high=11),
        "min_child_weight": FloatDistribution(type="float", low=0.5, high=64.0, log=True),
        "subsample": FloatDistribution(type="float", low=0.5, high=1.0),
        "colsample_bytree": FloatDistribution(type="float", low=0.4, high=1.0),
        "reg_alpha": FloatDistribution(type="float", low=1e-6, high=10.0, log=True),
        "reg_lambda": FloatDistribution(type="float", low=1e-2, high=30.0, log=True),
    },
)


class LightGBMHyperparameters(Request):
    """Gradient-boosted trees that grow leaf by leaf (Ke et al. 2017), early-stopped on the validation channel."""

    num_rounds: int = Field(default=1000, ge=1, le=20_000, description="At most; early stopping chooses.")
    early_stopping_rounds: int = Field(default=50, ge=1, le=1_000)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    num_leaves: int = Field(default=31, ge=2, le=4096, description="Of each tree.")
    max_depth: int | None = Field(default=None, ge=1, le=64, description="Null: as num_leaves allows.")
    min_child_samples: int = Field(default=20, ge=1, le=100_000, description="Rows in a leaf.")
    subsample: float = Field(default=0.9, gt=0, le=1)
    colsample_bytree: float = Field(default=0.8, gt=0, le=1)
    reg_alpha: float = Field(default=0.0, ge=0, le=1_000)
    reg_lambda: float = Field(default=1.0, ge=0, le=1_000)
    max_bin: int = Field(default=255, ge=16, le=4096)


LIGHTGBM = AlgorithmSpec(
    name="lightgbm",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=LightGBMHyperparameters,
    implementations={
        "lightgbm": Implementation(
            learner="batch_jobs.algorithms.lightgbm.trees:Trees",
            libraries=("lightgbm",),
            is_streamed=True,
        )
    },
    is_of_trees=True,
    # FLAML (Wang et al. 2021), with leaves as TabRepo has them: FLAML's 32,768 make large files.
    space={
        "learning_rate": FloatDistribution(type="float", low=0.02, high=0.3, log=True),
        "num_leaves": IntDistribution(type="int", low=4, high=256, log=True),
        "min_child_samples": IntDistribution(type="int", low=2, high=128, log=True),
        "subsample": FloatDistribution(type="float", low=0.5, high=1.0),
        "colsample_bytree": FloatDistribution(type="float", low=0.4, high=1.0),
        "reg_alpha": FloatDistribution(type="float", low=1e-6, high=10.0, log=True),
        "reg_lambda": FloatDistribution(type="float", low=1e-3, high=30.0, log=True),
    },
)


class BoostingType(StrEnum):
    """How the values of leaves are found.

    PLAIN: from the rows that a tree was grown on. ORDERED: for each row from rows before it in a random order, which
    helps where there are few rows, and takes several times as long.
    """

    PLAIN = "plain"
    ORDERED = "ordered"


class CatBoostHyperparameters(Request):
    """Gradient-boosted trees that ask one question at each level (Prokhorenkova et al. 2018), early-stopped on the
    validation channel."""

    num_rounds: int = Field(default=1000, ge=1, le=20_000, description="At most; early stopping chooses.")
    early_stopping_rounds: int = Field(default=50, ge=1, le=1_000)
    learning_rate: float | None = Field(
        default=None, gt=0, le=1, description="Null: CatBoost's own rule, by the number of rows and rounds."
    )
    max_depth: int = Field(default=6, ge=1, le=12, description="Of each tree, which has 2 to its power leaves.")
    reg_lambda: float = Field(default=3.0, gt=0, le=1_000)
    random_strength: float = Field(default=1.0, ge=0, le=100, description="Noise on the scores of splits.")
    subsample: float = Field(default=0.8, gt=0, le=1)
    colsample_bylevel: float = Field(default=1.0, gt=0, le=1)
    max_bin: int = Field(default=254, ge=16, le=4096)
    boosting_type: BoostingType = BoostingType.PLAIN


CATBOOST = AlgorithmSpec(
    name="catboost",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=CatBoostHyperparameters,
    implementations={
        "catboost": Implementation(learner="batch_jobs.algorithms.catboost.trees:Trees", libraries=("catboost",))
    },
    is_of_trees=True,
    # TabRepo (Salinas and Erickson 2024), with CatBoost's own rate and such that a thousand rounds are enough for.
    space={
        "learning_rate": CategoricalDistribution(type="categorical", choices=[None, 0.02, 0.04, 0.08, 0.16, 0.3]),
        "max_depth": IntDistribution(type="int", low=3, high=8),
        "reg_lambda": FloatDistribution(type="float", low=0.5, high=30.0, log=True),
        "random_strength": FloatDistribution(type="float", low=0.1, high=10.0, log=True),
        "subsample": FloatDistribution(type="float", low=0.5, high=1.0),
        "colsample_bylevel": FloatDistribution(type="float", low=0.4, high=1.0),
    },
)


class ForestHyperparameters(Request):
    """The mean of many trees that are grown each for itself."""

    num_trees: int = Field(default=200, ge=1, le=5_000)
    max_depth: int | None = Field(default=None, ge=1, le=64, description="Null: as min_samples_leaf allows.")
    min_samples_leaf: int = Field(default=5, ge=1, le=100_000, description="Rows in a leaf; fewer make larger models.")
    max_features: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of columns at each split; null: square root, regression two thirds.",
    )


class RandomForestHyperparameters(ForestHyperparameters):
    """Random forest (Breiman 2001): each tree is grown on a sample of rows and columns."""

    max_samples: float = Field(default=1.0, gt=0, le=1, description="Share of the rows that a tree is grown on.")


RANDOM_FOREST = AlgorithmSpec(
    name="random_forest",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=RandomForestHyperparameters,
    implementations={
        "sklearn": Implementation(
            learner="batch_jobs.algorithms.sklearn.forest:RandomForest", libraries=("scikit-learn",)
        )
    },
    is_of_trees=True,
    # TabRepo (Salinas and Erickson 2024); more trees are never worse (Probst and Boulesteix 2018), only larger.
    space={
        "min_samples_leaf": IntDistribution(type="int", low=1, high=64, log=True),
        "max_features": CategoricalDistribution(type="categorical", choices=[None, 0.25, 0.5, 0.75, 1.0]),
        "max_samples": FloatDistribution(type="float", low=0.3, high=1.0),
    },
)


class ExtraTreesHyperparameters(ForestHyperparameters):
    """Extremely randomized trees (Geurts, Ernst and Wehenkel 2006): all rows for each tree, and at a split the best of
    thresholds that are drawn at random, one for each column. Grown in a fraction of a random forest's time."""

    num_trees: int = Field(default=100, ge=1, le=5_000)
    min_samples_leaf: int = Field(default=2, ge=1, le=100_000, description="Rows in a leaf; fewer make larger models.")
    max_features: float | None = Field(
        default=None, gt=0, le=1, description="Share of columns at each split; null: half of them, regression all."
    )


EXTRA_TREES = AlgorithmSpec(
    name="extra_trees",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=ExtraTreesHyperparameters,
    implementations={
        "sklearn": Implementation(
            learner="batch_jobs.algorithms.sklearn.forest:ExtraTrees", libraries=("scikit-learn",)
        )
    },
    is_of_trees=True,
    space={
        "min_samples_leaf": IntDistribution(type="int", low=1, high=64, log=True),
        "max_features": CategoricalDistribution(type="categorical", choices=[None, 0.25, 0.5, 0.75, 1.0]),
    },
)
