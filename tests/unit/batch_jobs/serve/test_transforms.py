"""What a transform may do wrong, told by its name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from aimass_core.errors import InternalError, InvalidDataError, UnavailableError
from aimass_core.inference.serving.model import load_model
from batch_jobs.serve.models import transforms
from batch_jobs.serve.models.transforms import TransformedModel
from tests.factories.served_models import TABLE, table_model

INPUTS = {"age": np.array([[40], [20]], np.float32), "city": np.array([["Rome"], ["Oslo"]], object)}


class AsItIs:
    def before(self, inputs: Mapping[str, Any]) -> Any:
        return inputs

    def after(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
        return outputs


class Raising(AsItIs):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def before(self, inputs: Mapping[str, Any]) -> Any:
        raise self._error


class Changing(AsItIs):
    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def after(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
        return {**outputs, **self._changes}


def run(transform: Any, *outputs: str) -> Any:
    model = load_model(table_model(), TABLE, digest="")
    wrapped = TransformedModel(model=model, transform=transform, name="tidy")
    return wrapped.run(INPUTS, outputs=outputs or ("label",), seconds=10)


def test_what_changes_nothing_changes_nothing() -> None:
    plain = load_model(table_model(), TABLE, digest="").run(INPUTS, outputs=["label", "probabilities"], seconds=10)
    found = run(AsItIs(), "probabilities", "label")
    assert list(found) == ["probabilities", "label"]
    assert found["label"].tolist() == plain["label"].tolist()
    np.testing.assert_array_equal(found["probabilities"], plain["probabilities"])


def test_texts_of_numpys_own_kind_are_texts() -> None:
    assert run(Changing(label=np.array(["a", "b"])))["label"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"other": np.zeros(2)}, "the tensors label, probabilities"),
        ({"label": np.array(["a"], object)}, "label as BYTES [-1] with 2 rows"),
        ({"probabilities": np.zeros((2, 2))}, "probabilities as FP32 [-1, 2] with 2 rows"),
    ],
)
def test_what_does_not_keep_to_the_signature_is_a_fault_of_the_transform(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InternalError, match="has to return") as caught:
        run(Changing(**changes))
    assert str(caught.value) == f"after() of the transform 'tidy' has to return {words}, and did not."


def test_what_it_raises_is_told_as_far_as_it_is_meant_for_callers() -> None:
    with pytest.raises(InvalidDataError, match="'tidy' refuses the request: too old"):
        run(Raising(ValueError("too old")))
    with pytest.raises(InternalError, match=r"'tidy' failed \(KeyError\)") as caught:
        run(Raising(KeyError("secret")))
    assert "secret" not in str(caught.value)


def test_one_that_is_not_installed_is_told_with_those_that_are() -> None:
    with pytest.raises(UnavailableError, match="no transform 'tidy'; installed are: none"):
        transforms.wrap(load_model(table_model(), TABLE, digest=""), "tidy")
