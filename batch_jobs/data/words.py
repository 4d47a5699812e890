"""The common words of a text that stands in a table beside other columns: titles in names, materials in descriptions.

What a table's algorithm learns from such a column is which of these words a row has.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_WORDS: Final = 50
MAX_TOKENS: Final = 64
"""Words of a text after these are not looked at."""
_MIN_ROWS, _MIN_SHARE, _MAX_SHARE = 10, 0.01, 0.95
_MAX_CATEGORIES, _MAX_CATEGORY_SHARE = 50, 0.05


def is_free(num_distinct: int, num_present: int) -> bool:
    """Whether texts have so many different values that they are no categories."""
    limit = max(_MAX_CATEGORIES, _MAX_CATEGORY_SHARE * num_present)
    return num_distinct > limit or (num_distinct == num_present > 2)


def find_words(texts: Sequence[str]) -> tuple[str, ...]:
    """Words that enough of these texts have and not nearly all, the most frequent first; none where the texts are
    categories."""
    present = [text for text in texts if text]
    if not is_free(len(set(present)), len(present)):
        return ()
    counts = Counter(word for text in present for word in set(split(text)))
    least, most = max(_MIN_ROWS, _MIN_SHARE * len(present)), _MAX_SHARE * len(present)
    found = [word for word, count in counts.items() if least <= count <= most]
    return tuple(sorted(found, key=lambda word: (-counts[word], word))[:MAX_WORDS])


def split(text: str) -> list[str]:
    """At spaces: marks stay with their word."""
    return [word for word in text.split(" ") if word][:MAX_TOKENS]


def has_words(texts: Sequence[str], words: Sequence[str]) -> NDArray[np.float32]:
    """1 where a text has a word [texts, words]."""
    places = {word: place for place, word in enumerate(words)}
    found = np.zeros((len(texts), len(words)), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in split(text):
            if (place := places.get(word)) is not None:
                found[row, place] = 1
    return found
