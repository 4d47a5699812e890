"""The common words of texts in tables."""

import numpy as np
import pytest

from batch_jobs.data.words import MAX_TOKENS, MAX_WORDS, find_words, has_words


def test_words_of_enough_rows_are_found_the_most_frequent_first() -> None:
    texts = [f"n{row} {'Mrs.' if row % 3 else 'Dr.'} of town" for row in range(90)]
    texts[0] += " rare"
    assert find_words(texts) == ("Mrs.", "Dr.")


def test_ids_and_categories_have_none() -> None:
    assert find_words([f"{row:04x}-{row}" for row in range(200)]) == ()
    assert find_words(["new york", "los angeles"] * 100) == ()
    assert find_words([""] * 50) == ()


def test_so_many_words_are_the_most() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.choice(200, 40, replace=False)) for _ in range(400)]
    assert len(find_words(texts)) == MAX_WORDS


@pytest.mark.parametrize("kind", ["classes", "numbers", "labels"])
def test_of_too_many_words_those_that_tell_most_of_the_target_are_found(kind: str) -> None:
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 10, 2_000)
    texts = [" ".join([*(f"w{word}" for word in rng.choice(150, 30, replace=False)), f"topic{each}"]) for each in topic]
    targets = {
        "classes": topic // 5,
        "numbers": topic * 10.0 + rng.normal(0, 5, len(topic)),
        "labels": np.stack([topic < 5, topic % 2 == 0], axis=1),
    }[kind]
    told = find_words(texts, targets)
    assert len(told) == MAX_WORDS
    topics = {f"topic{each}" for each in range(10)}
    assert len(topics & set(find_words(texts))) == 0
    # Those in the middle say next to nothing of a number.
    assert len(topics & set(told)) >= 8
    assert find_words(texts[::-1], targets[::-1]) == told


def test_words_are_whole_and_of_the_beginning() -> None:
    long = " ".join(["x"] * (MAX_TOKENS - 1) + ["red", "blue"])
    assert has_words(["red", " red  blue", "redder", "", long], ["red", "blue"]).tolist() == [
        [1, 0],
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 0],
    ]
