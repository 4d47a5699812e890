"""Steps change images within their bounds, the same way for the same generator, and leave everything else alone."""

import numpy as np
import pytest
import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation.images import PRESETS, Preset
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CNN, CnnHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.augmentation.building import Augmentation, build_augmentation
from batch_jobs.data.augmentation.mixing import MixAugment
from batch_jobs.data.augmentation.samples import augmented_rows

STEPS = [
    {"name": "flip"},
    {"name": "flip", "direction": "vertical"},
    {"name": "rotate"},
    {"name": "crop"},
    {"name": "scale"},
    {"name": "translate"},
    {"name": "colour", "hue": 0.1},
    {"name": "noise"},
    {"name": "blur", "max_sigma": 5},
    {"name": "cutout"},
    {"name": "randaugment"},
]


def _chosen(augmentation: object, **others: object) -> CnnHyperparameters:
    found = CNN.resolve_hyperparameters({"shift": 0, "augmentation": augmentation, **others})
    assert isinstance(found, CnnHyperparameters)
    return found


def _images(channels: int, num_rows: int = 40, side: int = 8) -> Tensor:
    """Smooth ones, so that a small change of place is a small change of value."""
    ramp = torch.linspace(0, 255, side)
    image = (ramp[:, None, None] + ramp[None, :, None]).expand(side, side, channels) / 2
    random = torch.rand(num_rows, 1, 1, channels, generator=torch.Generator().manual_seed(0))
    return (image * random).to(torch.uint8)


def _build(chosen: CnnHyperparameters, shape: tuple[int, ...] = (8, 8, 3)) -> Augmentation:
    problem = Problem(task=Task.BINARY, kind=DataKind.IMAGES, num_outputs=2, seed=0, num_threads=1)
    return build_augmentation(chosen, problem, np.zeros((1, *shape), dtype=np.uint8))


def _run(augmentation: object, images: Tensor, seed: int = 1) -> Tensor:
    augment = _build(_chosen(augmentation), tuple(images.shape[1:])).augment
    assert augment is not None
    return augment(images, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: "-".join(map(str, step.values())))
def test_each_step_changes_images_repeatably_and_within_their_range(step: dict[str, object], channels: int) -> None:
    images = _images(channels)
    before, state = images.clone(), torch.get_rng_state()
    changed = _run([step], images)
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 255
    assert not torch.allclose(changed, images.float(), atol=1.0)
    assert torch.equal(changed, _run([step], images))
    assert not torch.equal(changed, _run([step], images, seed=2))
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state), "what else draws from the global generator does not notice"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: "-".join(map(str, step.values())))
def test_images_are_changed_one_by_one(step: dict[str, object]) -> None:
    alike = _images(3)[:1].expand(40, -1, -1, -1).contiguous()
    changed = _run([step | {"probability": 1.0 if step["name"] not in {"flip"} else 0.5}], alike)
    assert len(torch.unique(changed, dim=0)) > 1


def test_the_probability_is_that_of_each_image() -> None:
    images = _images(3, num_rows=2000, side=4)
    changed = _run([{"name": "flip", "direction": "vertical", "probability": 0.3}], images)
    share = float((changed - images.float()).abs().flatten(1).amax(1).gt(1).float().mean())
    assert share == pytest.approx(0.3, abs=0.04)


def test_a_flip_is_exact() -> None:
    images = _images(3)
    flipped = _run([{"name": "flip", "probability": 1.0}], images)
    torch.testing.assert_close(flipped, images.flip(2).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("preset", [preset for preset in Preset if preset is not Preset.NONE])
@pytest.mark.parametrize("shape", [(8, 8, 3), (16, 9, 1)])
def test_presets_work_on_all_shapes(preset: Preset, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, *shape), dtype=np.uint8)
    built = _build(_chosen(preset.value), shape)
    rows = augmented_rows(images, built, seed=0)
    assert [row.shape for row in rows] == [(5, *shape)] * len(rows)
    assert np.array_equal(rows[0], images)
    assert not np.array_equal(rows[1], images)
    assert len(built.names) == len(PRESETS[preset])


def test_the_default_is_a_shift_and_none_with_no_shift_is_nothing() -> None:
    default = CnnHyperparameters()
    built = _build(default)
    assert (default.augmentation, built.mix, built.names) == ("none", None, ["shift of up to 2 pixels"])
    nothing = _build(_chosen("none"))
    assert nothing.augment is None
    assert augmented_rows(np.zeros((3, 8, 8, 3), dtype=np.uint8), nothing, seed=0) == []


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixtures_are_of_as_much_as_they_say(name: str) -> None:
    mix = _build(_chosen([{"name": name, "alpha": 1.0}])).mix
    assert isinstance(mix, MixAugment)
    images = torch.arange(32, dtype=torch.uint8)[:, None, None, None].expand(32, 20, 10, 3).contiguous()
    generator = torch.Generator().manual_seed(0)
    shares = []
    for _ in range(20):
        mixed, mixture = mix(images, generator)
        assert mixture
        shares.append(mixture.share)
        expected = mixture.share * images[:, 0, 0, 0].float() + (1 - mixture.share) * mixture.order.float()
        torch.testing.assert_close(mixed.float().mean(dim=(1, 2, 3)), expected, atol=1e-3, rtol=1e-4)
    assert 0.2 < float(np.mean(shares)) < 0.8
    assert np.std(shares) > 0.1


@pytest.mark.parametrize(
    ("augmentation", "words"),
    [
        ("stron", "'light', 'standard', 'strong' or 'randaugment'"),
        (3, "'none', 'light'"),
        ([{"name": "rotat"}], "'rotate', 'crop'"),
        ([{"name": "rotate", "degrees": 400}], "rotate.degrees: Input should be less than or equal to 180"),
        ([{"name": "rotate", "degree": 4}], "rotate.degree: Extra inputs"),
        ([{"name": "flip", "probability": 0}], "greater than 0"),
        ([{"name": "flip"}] * 17, "at most 16"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(augmentation: object, words: str) -> None:
    with pytest.raises(InvalidRequestError, match="augmentation") as refused:
        _chosen(augmentation)
    assert words in str(refused.value)
