"""JSON from strangers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass_core.errors import MalformedRequestError
from aimass_core.lambda_support import json_body

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_every_json_value_is_read_as_the_standard_library_reads_it(value: object) -> None:
    assert json_body.parse(json.dumps(value)) == value


@given(st.text(max_size=50))
def test_h8_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = json_body.parse(text)
    except MalformedRequestError:
        return
    assert json.loads(text) == value


def test_h8_depth_counts_brackets_outside_of_strings_only() -> None:
    depth = json_body.MAX_DEPTH
    assert json_body.parse("[" * depth + "]" * depth)
    assert json_body.parse(json.dumps("[{" * 1000 + '\\"[')) == "[{" * 1000 + '\\"['
    with pytest.raises(MalformedRequestError, match="nested deeper"):
        json_body.parse("[" * (depth + 1) + "]" * (depth + 1))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"]]":', "}]")])
def test_h8_depth_counts_levels_and_not_brackets(opening: str, closing: str) -> None:
    num_levels = json_body.MAX_DEPTH // len(closing)
    wide = json.dumps([{"a": [1]}] * 500)[1:-1]

    def nested(levels: int) -> str:
        return f"[{wide}, {opening * levels}1{closing * levels}]"

    assert json_body.parse(nested(num_levels - 1)) == json.loads(nested(num_levels - 1))
    with pytest.raises(MalformedRequestError, match="nested deeper"):
        json_body.parse(nested(num_levels))


def test_a_fault_names_its_place() -> None:
    with pytest.raises(MalformedRequestError, match="line 2, column 7"):
        json_body.parse('{\n "a": }')


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"b": {"a": 1, "a": 2}}', '[{"a": 1, "\\u0061": 2}]'])
def test_h8_key_comes_once(text: str) -> None:
    with pytest.raises(MalformedRequestError, match="'a' comes twice"):
        json_body.parse(text)
