"""Batches of features on disk, and of features of which every process has its own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples
from batch_jobs.algorithms.torch.batches import Batches, to_batches
from batch_jobs.data.maps import BLOCK_BYTES, write_map

NUM_ROWS, WIDTH = 40_000, 16
ROWS_PER_BLOCK = BLOCK_BYTES // (4 * WIDTH)


def _numbered(path: Path, num_rows: int = NUM_ROWS) -> Examples:
    """Each row's features and its target are its number."""
    numbers = np.arange(num_rows)
    features = np.repeat(numbers[:, None], WIDTH, axis=1).astype(np.float32)
    stored = write_map(iter([features[:100], features[100:]]), num_rows=num_rows, folder=path)
    return Examples(features=stored, targets=numbers, sample=features[:10])


def _windowed(examples: Examples, num_blocks: int) -> Batches:
    whole = to_batches(examples)
    return Batches(features=whole.features, targets=whole.targets, map=whole.map, window_bytes=num_blocks * BLOCK_BYTES)


def _epoch(batches: Batches, seed: int) -> list[torch.Tensor]:
    found = []
    for features, targets, of_all in batches.shuffled(500, torch.Generator().manual_seed(seed)):
        assert features[:, 0].tolist() == targets.tolist() == of_all.tolist()
        found.append(targets)
    return found


def test_windows_hold_every_row_once_in_an_order_of_the_seed(tmp_path: Path) -> None:
    batches = _windowed(_numbered(tmp_path), 8)
    order = torch.cat(_epoch(batches, 0))
    assert sorted(order.tolist()) == list(range(NUM_ROWS))
    assert torch.equal(order, torch.cat(_epoch(batches, 0)))
    assert not torch.equal(order, torch.cat(_epoch(batches, 1)))


def test_a_window_reads_few_blocks_from_all_over_and_mixes_them(tmp_path: Path) -> None:
    order = torch.cat(_epoch(_windowed(_numbered(tmp_path), 8), 0))
    window = order[: 7 * ROWS_PER_BLOCK]  # the last block, which has fewer rows, may be in it
    blocks = torch.unique(window // ROWS_PER_BLOCK)
    assert len(blocks) == 8
    assert blocks.max() - blocks.min() > 16
    first = window[:500] // ROWS_PER_BLOCK
    assert len(torch.unique(first)) == 8


def test_what_fits_into_one_window_is_shuffled_as_in_memory(tmp_path: Path) -> None:
    examples = _numbered(tmp_path)
    in_memory = Examples(features=np.array(examples.features), targets=examples.targets)
    assert torch.equal(torch.cat(_epoch(to_batches(examples), 5)), torch.cat(_epoch(to_batches(in_memory), 5)))


def test_in_order_are_all_rows(tmp_path: Path) -> None:
    batches = _windowed(_numbered(tmp_path), 2)
    assert torch.cat([targets for _, targets in batches.in_order()]).tolist() == list(range(NUM_ROWS))


@pytest.mark.parametrize("shares", [(50, 50), (70, 20, 10), (97, 7)])
def test_unequal_shares_make_equally_many_batches_and_every_row_has_its_turn(
    tmp_path: Path, shares: tuple[int, ...]
) -> None:
    whole = _numbered(tmp_path, sum(shares))
    seen: list[int] = []
    joint: list[list[list[int]]] = []
    for rank, count in enumerate(shares):
        start = sum(shares[:rank])
        own = Examples(features=np.array(whole.features[start : start + count]), targets=whole.targets, shares=shares)
        generator = torch.Generator().manual_seed(0)
        found = list(to_batches(own).shuffled(40, generator, part=rank, num_parts=len(shares)))
        for features, targets, _ in found:
            assert features[:, 0].tolist() == targets.tolist()
            seen += targets.tolist()
        joint.append([of_all.tolist() for _, _, of_all in found])
    assert sorted(seen) == list(range(sum(shares)))
    assert all(batches == joint[0] for batches in joint)
    assert sorted(number for batch in joint[0] for number in batch) == list(range(sum(shares)))


def test_a_share_that_cannot_give_each_batch_two_rows_is_refused(tmp_path: Path) -> None:
    whole = _numbered(tmp_path, 100)
    examples = Examples(features=np.array(whole.features[:95]), targets=whole.targets, shares=(95, 5))
    with pytest.raises(InvalidRequestError, match="hold 5 rows, and 10 batches need two of each machine"):
        next(to_batches(examples).shuffled(10, torch.Generator(), part=0, num_parts=2))
