"""Steps change the words of a text and nothing else; padding stays at the end."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import RNN, RnnHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.augmentation.building import Augmentation, build_augmentation

LENGTH = 30


def _texts(num_rows: int = 200) -> Tensor:
    """Words 2, 3, 4, ... of different lengths from none, and padding."""
    places = torch.arange(LENGTH).expand(num_rows, -1)
    lengths = torch.arange(num_rows)[:, None] % LENGTH
    return torch.where(places < lengths, places + 2, 0)


def _build(augmentation: object, kind: DataKind = DataKind.TEXT, **others: object) -> Augmentation:
    chosen = RNN.resolve_hyperparameters({"augmentation": augmentation, "word_dropout": 0, **others})
    assert isinstance(chosen, RnnHyperparameters)
    problem = Problem(task=Task.BINARY, kind=kind, num_outputs=2, num_numeric=1, seed=0, num_threads=1)
    return build_augmentation(chosen, problem, np.zeros((1, 3, 1), np.float32))


def _run(augmentation: object, ids: Tensor, seed: int = 1, **others: object) -> Tensor:
    augment = _build(augmentation, **others).augment
    assert augment is not None
    return augment(ids, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ["drop", "swap"])
def test_each_step_changes_texts_repeatably_and_leaves_padding_at_the_end(name: str) -> None:
    ids = _texts()
    before = ids.clone()
    changed = _run([{"name": name, "part": 0.3}], ids)
    assert (changed.shape, changed.dtype) == (ids.shape, torch.int64)
    is_word = changed != 0
    assert torch.equal(is_word, torch.arange(LENGTH) < is_word.sum(dim=1, keepdim=True))
    assert not torch.equal(changed, ids)
    assert torch.equal(changed, _run([{"name": name, "part": 0.3}], ids))
    assert not torch.equal(changed, _run([{"name": name, "part": 0.3}], ids, seed=2))
    assert torch.equal(ids, before)


def test_dropped_words_are_of_that_part_and_the_others_keep_their_order() -> None:
    ids = _texts(3000)
    changed = _run([{"name": "drop", "part": 0.2}], ids)
    lengths, kept = (ids != 0).sum(dim=1), (changed != 0).sum(dim=1)
    assert ((kept >= 1) | (lengths == 0)).all()
    assert float(kept[lengths > 10].sum() / lengths[lengths > 10].sum()) == pytest.approx(0.8, abs=0.01)
    ahead = changed.diff(dim=1)
    assert ((ahead > 0) | (changed[:, 1:] == 0)).all()


def test_a_single_word_is_never_dropped() -> None:
    ids = _texts(60)[1::30]
    assert torch.equal(_run([{"name": "drop", "part": 0.99}], ids), ids)


def test_swapped_words_are_the_same_words_in_other_places() -> None:
    ids = _texts(3000)
    changed = _run([{"name": "swap", "part": 0.5}], ids)
    assert torch.equal(changed.sort(dim=1).values, ids.sort(dim=1).values)
    is_long = (ids != 0).sum(dim=1) == LENGTH - 1
    moved = (changed != ids)[is_long, : LENGTH - 1].float().mean()
    assert 0.4 < float(moved) < 0.5
    everything = _run([{"name": "swap", "part": 1.0}], ids)[is_long]
    assert float((everything != ids[is_long])[:, : LENGTH - 1].float().mean()) > 0.9


def test_the_probability_is_that_of_each_text() -> None:
    ids = _texts(1).expand(3000, -1).clone() + torch.arange(2, LENGTH + 2)
    changed = _run([{"name": "drop", "part": 0.5, "probability": 0.3}], ids)
    assert float((changed != ids).any(dim=1).float().mean()) == pytest.approx(0.3, abs=0.03)


def test_presets_come_before_the_words_that_are_unknown() -> None:
    built = _build("strong", word_dropout=0.2)
    assert built.names == ["drop (part 0.2; probability 1)", "swap (part 0.2; probability 1)", "unknown (part 0.2)"]
    assert built.mix is None
    changed = _run("none", _texts(2000), word_dropout=0.2)
    is_word = _texts(2000) != 0
    assert float((changed[is_word] == 1).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert (changed[~is_word] == 0).all()
    assert _build("none").augment is None


@pytest.mark.parametrize(
    ("kind", "step", "words"),
    [
        (DataKind.TEXT, {"name": "jitter"}, "texts, and the step 'jitter' .* choose from drop, swap"),
        (DataKind.TEXT, {"name": "mixup"}, "texts, and the step 'mixup'"),
        (DataKind.SERIES, {"name": "swap"}, "series, and the step 'swap' .* choose from jitter, .*, cutout, mixup"),
    ],
)
def test_a_step_for_other_data_is_refused_with_those_for_this(kind: DataKind, step: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        _build([step], kind)
