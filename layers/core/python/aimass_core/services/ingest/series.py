"""Series as they come in: lists of numbers, as text cells or as Arrow lists, and what may be wrong with one."""

import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import MAX_SERIES_LENGTH

ARROW_TYPE = pa.list_(pa.float64())
# What JSON readers and writers make of values that are none; with quotes where they had to become text in between.
_MISSING = pa.array(["null", "nan", '"nan"', "none", "?"])
_INFINITE = r"^([+-]?)inf(inity)?$"
_NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)$"
_ADVICE = "Write it as [1.5, 2, null], with null for a missing value."
_MAX_SHOWN = 60


def are_lists(cells: pa.Array) -> bool:
    """Whether most of some text cells are lists in brackets, be they of numbers or not."""
    return bool(2 * (pc.sum(pc.starts_with(cells, "[")).as_py() or 0) > len(cells))


def parse(cells: pa.Array) -> pa.Array:
    """Text cells such as `[1, 2.5, null]` as lists of numbers; null where a cell is no series that can be read."""
    trimmed = pc.utf8_trim_whitespace(cells)
    is_list = pc.and_(pc.starts_with(trimmed, "["), pc.ends_with(trimmed, "]"))
    inner = pc.if_else(is_list, pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(trimmed, 1, -1)), None)
    lists = pc.split_pattern(pc.if_else(pc.equal(inner, ""), None, inner), ",")
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(lists.flatten()))
    is_missing = pc.is_in(texts, value_set=_MISSING)
    texts = pc.utf8_trim(texts, '"') if _has_quoted_infinity(texts) else texts
    is_number = pc.match_substring_regex(texts, _NUMBER)
    numbers = pc.cast(pc.if_else(pc.and_(is_number, pc.invert(is_missing)), texts, None), pa.float64())
    is_strange = pc.invert(pc.or_(is_number, is_missing))
    found = with_values(lists, numbers)
    strange_rows = pc.unique(pc.list_parent_indices(lists).filter(is_strange))
    is_bad = pc.is_in(pa.array(range(len(cells)), pa.int64()), value_set=strange_rows.cast(pa.int64()))
    return pc.if_else(pc.or_(is_bad, pc.fill_null(has_wrong_length(found), True)), None, found)


def _has_quoted_infinity(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, r'^"[+-]?inf(inity)?"$')).as_py())


def has_wrong_length(values: pa.Array) -> pa.Array:
    """Which series have no value at all, or too many."""
    lengths = pc.list_value_length(values)
    return pc.or_(pc.equal(lengths, 0), pc.greater(lengths, MAX_SERIES_LENGTH))


def with_values(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Lists of the same lengths, with other values in them."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array([0, *lengths.cumsum().tolist()], pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=lists.is_null())


def explain(text: str) -> str:
    """What is wrong with a text cell that is no series."""
    shown = repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")
    if not (text.startswith("[") and text.endswith("]")):
        return f"{shown} is not a list of numbers, as the other cells of the column are. {_ADVICE}"
    parts = [part.strip() for part in text[1:-1].split(",")]
    if parts == [""]:
        return explain_length(0)
    if len(parts) > MAX_SERIES_LENGTH:
        return explain_length(len(parts))
    cells = pa.array([f"[{part}]" for part in parts])
    strange = pc.indices_nonzero(parse(cells).is_null()).to_pylist()
    place = strange[0] if strange else 0
    return f"{parts[place][:_MAX_SHOWN]!r}, value {place + 1} of the series, is not a number. {_ADVICE}"


def explain_length(length: int) -> str:
    """What is wrong with a series of that many values."""
    if not length:
        return "The series is empty. Give it at least one value, or leave the cell out where it is missing."
    return (
        f"The series has {length:,} values; at most {MAX_SERIES_LENGTH:,} are read. Cut it into windows, or sample it "
        "more coarsely."
    )
