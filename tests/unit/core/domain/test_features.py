"""Declared features as they travel: through a request, a stored job and the container's hyperparameters."""

from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.jobs import TrainSpec, from_hyperparameters, to_hyperparameters

FEATURES: dict[str, Any] = {
    "columns": {"a": {"drop": True}, "b": {"impute": 0.5, "scale": "robust"}, "c": {"encode": ["target"]}},
    "crosses": [{"columns": ["c", "d"]}],
    "ratios": [["a", "b"]],
    "select": {"method": "recursive", "keep": 3},
}


def test_features_reach_the_container_as_they_were_declared() -> None:
    spec = TrainSpec.model_validate({"dataset": "adult", "algorithm": "lightgbm", "features": FEATURES})
    stored = TrainSpec.model_validate_json(spec.model_dump_json())
    assert from_hyperparameters(to_hyperparameters(stored)) == spec


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"columns": {"a": {"drop": True, "scale": "standard"}}}, "drop excludes everything else"),
        ({"columns": {"a": {"order": ["x", "y"]}}}, "order needs encode"),
        ({"columns": {"a": {"encode": []}}}, "at least 1 item"),
        ({"columns": {"a": {"impute": float("nan")}}}, "finite number"),
        ({"columns": {"a": {"scale": "large"}}}, "'standard', 'robust' or 'minmax'"),
        ({"crosses": [{"columns": ["a"]}]}, "Field required"),
        ({"crosses": [{"columns": ["a", "b"], "encode": ["ordinal"]}]}, "have no order"),
        ({"polynomial": {"columns": ["a"], "degree": 9}}, "less than or equal to 4"),
        ({"select": {"method": "recursive"}}, "recursive needs keep"),
        ({"default": "magic"}, "'plain' or 'auto'"),
    ],
)
def test_what_cannot_be_meant_is_refused(features: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FeatureSpec.model_validate(features)
