"""What the processes of a fit agree on before they begin."""

import pytest

from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.sharing import Alone, check_shares


class _Two(Alone):
    """The team of two machines, as far as it is asked how many they are."""

    num_processes = 2


def test_a_batch_that_is_too_small_to_be_shared_is_refused() -> None:
    check_shares(4, _Two())
    check_shares(1, Alone())
    with pytest.raises(InvalidRequestError) as raised:
        check_shares(3, _Two())
    words = "a batch has 3 rows, and each of 2 machines needs two of them: raise batch_size to 4"
    assert words in raised.value.message
