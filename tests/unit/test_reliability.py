"""The page of faults says what the tests are."""

import csv

from tests import reliability


def test_every_fault_has_a_test_or_a_reason() -> None:
    with (reliability.TESTS / "faults.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"] for row in csv.DictReader(file)}
    tested = set(reliability.find_tests())
    assert tested <= rows, "tests of rows that there are not"
    assert rows - tested == set(reliability.UNTESTED)


def test_the_page_is_what_the_tests_are() -> None:
    assert reliability.PAGE.read_text("utf-8") == reliability.build_page(), (
        "run: python -m tests.reliability > docs/RELIABILITY.md"
    )
