"""The greedy choice: what helps most first, nothing that does not help, judged on data sets that it has not seen."""

import numpy as np

from batch_jobs.search.portfolio.selection import left_out_regrets, normalise, regrets_by_size, select


def test_regrets_are_of_the_best_and_the_median_of_each_data_set() -> None:
    errors = np.array([[0.1, 0.2, 0.3, 0.9, 0.3], [400.0, 500.0, 300.0, 500.0, 100.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    expected = [[0.0, 0.5, 1.0, 1.0, 1.0], [1.0, 1.0, 2 / 3, 1.0, 0.0], [0.0] * 5]
    np.testing.assert_allclose(normalise(errors), expected)


def test_each_choice_helps_most_after_those_before_it() -> None:
    regrets = np.array(
        [
            [0.2, 0.0, 1.0, 0.2, 1.0],
            [0.2, 0.1, 1.0, 0.2, 1.0],
            [0.2, 1.0, 1.0, 0.2, 0.1],
            [0.2, 1.0, 0.0, 0.2, 1.0],
        ]
    )
    chosen = select(regrets, np.ones(5), 5)
    assert chosen == [0, 1, 2, 4]  # 3 is 0 again, and never helps
    np.testing.assert_allclose(regrets_by_size(regrets, chosen), [0.2, 0.125, 0.075, 0.05])
    assert select(regrets, np.ones(5), 2) == [0, 1]
    assert select(regrets, np.array([9.0, 1.0, 1.0, 9.0, 1.0]), 3) == [1, 2, 4]


def test_what_was_chosen_without_a_data_set_is_no_better_on_it() -> None:
    regrets = normalise(np.random.default_rng(0).random((30, 40)))
    costs = np.ones(40)
    chosen = select(regrets, costs, 8)
    seen, unseen = regrets_by_size(regrets, chosen), left_out_regrets(regrets, costs, 8)
    assert seen == sorted(seen, reverse=True)
    assert unseen == sorted(unseen, reverse=True)
    assert all(known <= new for known, new in zip(seen, unseen, strict=True))
    assert unseen[-1] > seen[-1] + 0.05  # of noise nothing can be learned for another data set


def test_a_favourite_of_all_data_sets_is_one_of_those_left_out_too() -> None:
    regrets = np.random.default_rng(0).uniform(0.5, 1.0, (10, 6))
    regrets[:, 4] = 0.1
    assert select(regrets, np.ones(6), 3) == [4]
    np.testing.assert_allclose(left_out_regrets(regrets, np.ones(6), 3), [0.1, 0.1, 0.1])
