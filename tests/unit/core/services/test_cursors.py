"""Signed cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core.errors import InvalidRequestError
from aimass_core.services import cursors

TEXT = st.text(st.characters(codec="utf-8"), max_size=100)


@given(TEXT, TEXT, TEXT)
def test_a_cursor_leads_back(start: str, secret: str, binding: str) -> None:
    cursor = cursors.encode(start, secret=secret, binding=binding)
    assert cursors.decode(cursor, secret=secret, binding=binding) == start
    assert cursor.isascii()


@given(st.text(max_size=60))
def test_h11_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequestError):
        cursors.decode(cursor, secret="s", binding="b")


def test_h11_every_change_of_a_character_is_noticed() -> None:
    cursor = cursors.encode("JOB#job_1", secret="s", binding="b")
    for index, character in enumerate(cursor):
        for other in "ABab01-_":
            if other != character:
                with pytest.raises(InvalidRequestError):
                    cursors.decode(cursor[:index] + other + cursor[index + 1 :], secret="s", binding="b")


@pytest.mark.parametrize(("secret", "binding"), [("t", "b"), ("s", "c"), ("s", ""), ("s", "bJ")])
def test_h11_cursor_holds_for_one_secret_and_one_list(secret: str, binding: str) -> None:
    cursor = cursors.encode("JOB#job_1", secret="s", binding="b")
    with pytest.raises(InvalidRequestError):
        cursors.decode(cursor, secret=secret, binding=binding)
