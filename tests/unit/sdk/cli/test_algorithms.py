"""What the command line says of hyperparameters, from their schemas."""

from aimass.cli.algorithms import _hyperparameters, _space, _steps
from aimass_core.domain.algorithms.registry import find, to_info


def test_alternatives_are_named_with_their_choices() -> None:
    shown = {found.name: found for found in _hyperparameters(to_info(find("cnn")))}
    augmentation = shown["augmentation"]
    assert (augmentation.type, augmentation.default) == ("string or list of values", '"none"')
    assert "light | standard | strong | randaugment" in augmentation.range
    assert (shown["channels"].type, shown["patience"].type) == ("list of integers", "integer or null")


def test_the_steps_of_augmentation_are_named_with_strengths_and_meanings() -> None:
    steps = {found.name: found for found in _steps(to_info(find("rnn")))}
    assert {"jitter", "time_warp", "crop", "cutout", "drop", "swap", "mixup"} <= set(steps)
    warp = steps["magnitude_warp"]
    assert warp.range == "probability > 0, <= 1; deviation > 0, <= 2; knots >= 1, <= 64"
    assert warp.default == "probability 1.0, deviation 0.2, knots 4"
    assert warp.meaning.startswith("Multiplies by a smooth curve")
    assert "rotate" in {found.name for found in _steps(to_info(find("cnn")))}
    assert list(_steps(to_info(find("xgboost")))) == []


def test_what_a_search_varies_is_shown_with_its_conditions() -> None:
    rnn = {found.name: found for found in _space(to_info(find("rnn")))}
    assert (rnn["learning_rate"].range, rnn["learning_rate"].when) == ("0.0003 to 0.02, log", "")
    assert (rnn["cell"].range, rnn["cell"].when) == ("lstm | gru", "layers is 1 | 2")
    nlinear = {found.name: found for found in _space(to_info(find("nlinear")))}
    assert nlinear["hidden"].range == "[] | [64] | [256] | [256, 256] | [512, 512]"
