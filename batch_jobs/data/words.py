"""The common words of a text that stands in a table beside other columns: titles in names, materials in descriptions.

What a table's algorithm learns from such a column is which of these words a row has.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

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


def find_words(texts: Sequence[str], targets: NDArray[Any] | None = None) -> tuple[str, ...]:
    """Words that enough of these texts have and not nearly all, the most frequent first; none where the texts are
    categories.

    Args:
        texts: Those of the training rows; "" is none.
        targets: What the texts are to tell, a number, a class's index or a row of truths each: of too many words those
            are found that tell most of it. Without them the most frequent are.
    """
    present = [text for text in texts if text]
    if not is_free(len(set(present)), len(present)):
        return ()
    counts = Counter(word for text in present for word in set(split(text)))
    least, most = max(_MIN_ROWS, _MIN_SHARE * len(present)), _MAX_SHARE * len(present)
    found = sorted((word for word in counts if least <= counts[word] <= most), key=lambda word: (-counts[word], word))
    if targets is None or len(found) <= MAX_WORDS:
        return tuple(found[:MAX_WORDS])
    told = _how_much_is_told(texts, found, targets)
    best = np.sort(np.argsort(-told, kind="stable")[:MAX_WORDS])
    return tuple(found[place] for place in best)


def _how_much_is_told(texts: Sequence[str], words: Sequence[str], targets: NDArray[Any]) -> NDArray[np.float64]:
    """Of each word, how far the rows that have it are from all rows: chi-squared of classes, of numbers the squared
    difference of the means, in standard errors."""
    places = {word: place for place, word in enumerate(words)}
    has_classes = targets.ndim == 1 and targets.dtype.kind in "iu"
    signals = np.bincount(targets)[None] if has_classes else _standardised(targets)
    counts, sums = np.zeros(len(words)), np.zeros((len(words), signals.shape[1]))
    for row, text in enumerate(texts):
        found = [places[word] for word in set(split(text)) if word in places]
        counts[found] += 1
        if has_classes:
            sums[found, targets[row]] += 1
        else:
            sums[found] += signals[row]
    if has_classes:
        shares = signals / len(texts)
        sums = (sums - counts[:, None] * shares) / np.sqrt(np.where(shares > 0, shares, 1))
    told: NDArray[np.float64] = (sums**2).sum(axis=1) / (counts * (1 - counts / len(texts)))
    return told


def _standardised(targets: NDArray[Any]) -> NDArray[np.float64]:
    values = targets.reshape(len(targets), -1).astype(np.float64)
    deviation = values.std(axis=0)
    found: NDArray[np.float64] = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return found


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
