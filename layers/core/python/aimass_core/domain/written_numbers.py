"""Numbers as people write them: $1,234.50, 1.234,50 €, 12.5%, (300.00).

A form is written as its own example: what stands around the number (a currency, the sign of per cent) and the marks of
a large one: "$1,234.5", "1.234,5 €", "1234.5%". In brackets a number is negative, as in accounts. A percentage keeps
its figure: 12.5% is 12.5. Of letters currencies alone are known: "SKU 100" is a name.
"""

import re
from functools import cache

_CODES = (
    r"AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KES|KRW|MXN|MYR|NGN|NOK|NZD|"
    r"PHP|PLN|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_SIGNS = r"US\$|A\$|C\$|R\$|[$€£¥₹₽₩₺₴₪฿₫₦]|Fr\.|kr|zł|Kč|Ft"
_CURRENCY = f"{_SIGNS}|{_CODES}"
_PERCENT = "%"
# Of the digits in groups, and of the fraction; in this order they are believed.
_MARKS = ((",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("\u2019", "."), ("", "."), ("", ","))
_SPACE = "[ \u00a0\u2009\u202f]"
_AROUND = re.compile(
    rf"\(?[+-]?(?:(?P<before>{_CURRENCY}){_SPACE}?)?[+-]?[0-9.,][0-9.,'\u2019\u00a0\u2009\u202f ]*?"
    rf"(?:{_SPACE}?(?P<after>{_CURRENCY}|{_PERCENT}))?\)?"
)
_MAX_CHARACTERS = 60


def find_forms(text: str) -> tuple[str, ...]:
    """The forms in which a text is a number, the likeliest first; none where it is one in no form."""
    around = _AROUND.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    if around is None or (around["before"] and around["after"]):
        return ()
    forms = (
        f"{around['before'] or ''}1{thousands}234{decimal}5{around['after'] or ''}" for thousands, decimal in _MARKS
    )
    return tuple(form for form in forms if re.fullmatch(pattern_of(form), text))


@cache
def pattern_of(form: str) -> str:
    """What a number of that form looks like; RE2 reads it too. A currency may be missing, the sign of per cent not."""
    before, thousands, decimal, after = _parts(form)
    groups = f"[1-9][0-9]{{0,2}}(?:{_SPACE if thousands == ' ' else re.escape(thousands)}[0-9]{{3}})+|"
    mark = re.escape(decimal)
    digits = f"(?:(?:{groups if thousands else ''}[0-9]+)(?:{mark}[0-9]+)?|{mark}[0-9]+)"
    left = f"(?:{re.escape(before)}{_SPACE}?)?" if before else ""
    right = f"(?:{_SPACE}?{re.escape(after)}){'' if after == _PERCENT else '?'}" if after else ""
    return rf"^(?:[+-]?{left}[+-]?{digits}{right}|\({left}{digits}{right}\))$"


def to_plain(text: str, form: str) -> str | None:
    """The number as it is written for computers; None where the text is not of the form."""
    if not re.fullmatch(pattern_of(form), text):
        return None
    before, after, decimal = marks_of(form)
    number = text.replace(before, "").replace(after, "")
    digits = "".join("." if each == decimal else each for each in number if each.isdigit() or each == decimal)
    return f"-{digits}" if "-" in number or "(" in number else digits


def has_decimal_point(form: str) -> bool:
    """Whether plain numbers with a fraction are of that form too."""
    return _parts(form)[2] == "."


def marks_of(form: str) -> tuple[str, str, str]:
    """What stands before and after the number, and its decimal mark."""
    before, _, decimal, after = _parts(form)
    return before, after, decimal


@cache
def _parts(form: str) -> tuple[str, str, str, str]:
    found = re.fullmatch(r"(\D*)1(\D?)234(\D)5(\D*)", form)
    if found is None:
        raise ValueError(f"{form!r} is no form of numbers.")
    return found[1], found[2], found[3], found[4]
