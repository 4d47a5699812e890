"""The words that a model tells apart, and the tokens that stand for each."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

PADDING = 0
UNKNOWN = 1
_FIRST_WORD = 2
_MIN_COUNT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """`ids` has the number of every known token; tokens of one word share it."""

    ids: Mapping[str, int]
    num_words: int

    @property
    def size(self) -> int:
        """How many numbers there are, padding and the unknown included."""
        return _FIRST_WORD + self.num_words

    def look_up(self, tokens: Iterable[str]) -> list[int]:
        """The number of each token."""
        return [self.ids.get(token, UNKNOWN) for token in tokens]


def fit_vocabulary(texts: Iterable[Sequence[str]], *, max_words: int) -> Vocabulary:
    """The most frequent words of tokenized texts, those that occur once left out where any occurs twice.

    A word is a token in lower case and Unicode's form NFKC. Its tokens are those of the texts, and the word as it
    would be written elsewhere: in lower case, in capitals and capitalised, with composed and decomposed accents.
    """
    counts: Counter[str] = Counter()
    for tokens in texts:
        counts.update(tokens)
    words: Counter[str] = Counter()
    for token, count in counts.items():
        words[to_word(token)] += count
    ranked = sorted(words, key=lambda word: (-words[word], word))
    kept = ([word for word in ranked if words[word] >= _MIN_COUNT] or ranked)[:max_words]
    numbers = {word: number for number, word in enumerate(kept, start=_FIRST_WORD)}
    ids = {token: numbers[word] for token in sorted(counts) if (word := to_word(token)) in numbers}
    for word, number in numbers.items():
        for form in _forms(word):
            ids.setdefault(form, number)
    return Vocabulary(ids=ids, num_words=len(kept))


def to_word(token: str) -> str:
    """The word that a token stands for."""
    return unicodedata.normalize("NFKC", token).lower()


def _forms(word: str) -> Iterator[str]:
    for form in (word, word.capitalize(), word.upper()):
        yield form
        yield unicodedata.normalize("NFD", form)
