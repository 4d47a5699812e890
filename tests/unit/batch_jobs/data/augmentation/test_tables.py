"""Steps change the rows of a feature matrix: quantities by noise, any value by another row's."""

import numpy as np
import pytest
import torch
from torch import Tensor

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import MLP, MlpHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.augmentation.building import Augmentation, build_augmentation

NUM_NUMERIC = 3


def _features(num_rows: int = 2000) -> Tensor:
    """Of deviations 1 and 100 and a constant, a tenth missing, and two categories."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(num_rows, NUM_NUMERIC, generator=generator) * torch.tensor([1.0, 100.0, 0.0]) + 5
    numbers[::10, 1] = torch.nan
    return torch.cat([numbers, torch.randint(0, 9, (num_rows, 2), generator=generator)], dim=1)


def _build(augmentation: object, features: Tensor, num_numeric: int = NUM_NUMERIC) -> Augmentation:
    chosen = MLP.resolve_hyperparameters({"augmentation": augmentation})
    assert isinstance(chosen, MlpHyperparameters)
    problem = Problem(
        task=Task.BINARY, kind=DataKind.TABLE, num_outputs=2, num_numeric=num_numeric, seed=0, num_threads=1
    )
    return build_augmentation(chosen, problem, features.numpy())


def _run(augmentation: object, features: Tensor, seed: int = 1, num_numeric: int = NUM_NUMERIC) -> Tensor:
    augment = _build(augmentation, features, num_numeric).augment
    assert augment is not None
    return augment(features, torch.Generator().manual_seed(seed))


def test_noise_is_in_units_of_the_deviation_and_leaves_codes_and_gaps() -> None:
    features = _features()
    before = features.clone()
    changed = _run([{"name": "noise", "deviation": 0.2}], features)
    added = changed - features
    torch.testing.assert_close(added[:, 0].std(), torch.tensor(0.2), rtol=0.06, atol=0)
    torch.testing.assert_close(added[:, 1][~torch.isnan(added[:, 1])].std(), torch.tensor(20.0), rtol=0.06, atol=0)
    assert torch.equal(changed[:, 2:], features[:, 2:])
    assert torch.equal(torch.isnan(changed), torch.isnan(features))
    again = _run([{"name": "noise", "deviation": 0.2}], features)
    torch.testing.assert_close(changed, again, rtol=0, atol=0, equal_nan=True)
    assert not torch.allclose(changed, _run([{"name": "noise"}], features, seed=2), equal_nan=True)
    torch.testing.assert_close(features, before, rtol=0, atol=0, equal_nan=True)


def test_swapped_values_are_those_of_other_rows_in_their_column() -> None:
    features = torch.arange(2000.0)[:, None] + torch.arange(5) * 10_000
    changed = _run([{"name": "swap", "part": 0.3}], features)
    assert float((changed != features).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert torch.equal((changed / 10_000).floor(), (features / 10_000).floor())


def test_the_probability_is_that_of_each_row() -> None:
    features = _features()
    changed = _run([{"name": "noise", "probability": 0.3}], features)
    assert float((changed[:, 0] != features[:, 0]).float().mean()) == pytest.approx(0.3, abs=0.04)


def test_mixed_rows_have_categories_of_either_and_quantities_between() -> None:
    features = _features()
    mix = _build([{"name": "mixup", "alpha": 1.0}], features).mix
    assert mix is not None
    mixed, mixture = mix(features, torch.Generator().manual_seed(1))
    assert mixture
    others = features[mixture.order]
    share = mixture.share
    torch.testing.assert_close(mixed[:, 0], share * features[:, 0] + (1 - share) * others[:, 0])
    assert torch.equal(torch.isnan(mixed), torch.isnan(features))
    codes, own, other = mixed[:, NUM_NUMERIC:], features[:, NUM_NUMERIC:], others[:, NUM_NUMERIC:]
    assert ((codes == own) | (codes == other)).all()
    assert float((codes == own)[own != other].float().mean()) == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("preset", ["light", "standard", "strong"])
@pytest.mark.parametrize("num_numeric", [0, 2])
def test_presets_work_on_categories_alone_and_numbers_alone(preset: str, num_numeric: int) -> None:
    features = _features(50)[:, NUM_NUMERIC:]
    changed = _run(preset, features, num_numeric=num_numeric)
    assert changed.shape == features.shape
    if not num_numeric:
        assert set(np.unique(changed.numpy())) <= set(range(9))


@pytest.mark.parametrize(
    ("augmentation", "words"),
    [
        ("randaugment", "'light', 'standard' or 'strong'"),
        ([{"name": "drop"}], "'noise', 'swap', 'mixup'"),
        ([{"name": "swap", "part": 1}], "swap.part: Input should be less than 1, and it is 1"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(augmentation: object, words: str) -> None:
    with pytest.raises(InvalidRequestError, match="augmentation") as refused:
        _build(augmentation, _features())
    assert words in str(refused.value)
