"""What the command line says of hyperparameters, from their schemas."""

from aimass.cli.algorithms import _hyperparameters
from aimass_core.domain.algorithms.registry import find, to_info


def test_alternatives_are_named_with_their_choices() -> None:
    shown = {found.name: found for found in _hyperparameters(to_info(find("cnn")))}
    augmentation = shown["augmentation"]
    assert (augmentation.type, augmentation.default) == ("string or list of values", '"none"')
    assert "light | standard | strong | randaugment" in augmentation.range
    assert (shown["channels"].type, shown["patience"].type) == ("list of integers", "integer or null")
