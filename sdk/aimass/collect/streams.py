"""Streams: functions that yield records, with what tells the records apart, and where the last run ended."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aimass_core.errors import InvalidRequestError

_MARK = "__aimass_stream__"
_TYPES = ("integer", "number", "boolean", "datetime", "string")

FunctionT = TypeVar("FunctionT", bound=Callable[..., Iterable[Mapping[str, Any]]])


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What `stream` says of a function."""

    name: str
    primary_key: Sequence[str] = ()
    cursor: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def stream(
    *,
    name: str | None = None,
    primary_key: str | Sequence[str] = (),
    cursor: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Callable[[FunctionT], FunctionT]:
    """Makes a function (or a method of a Collector) a stream. It gets a Run and yields one mapping for each record.

    Args:
        name: Default: the function's.
        primary_key: The columns that tell records apart.
        cursor: The column whose largest value is remembered: `run.start()` of the next run.
        columns: Types of columns that shall not be found out from the values: integer, number, boolean, datetime,
            string.
    """
    wrong = {column: found for column, found in (columns or {}).items() if found not in _TYPES}
    if wrong:
        raise InvalidRequestError(f"columns: {wrong} are no types. Write {', '.join(_TYPES)}.")

    def decorate(function: FunctionT) -> FunctionT:
        info = StreamInfo(
            name=name or function.__name__,
            primary_key=(primary_key,) if isinstance(primary_key, str) else tuple(primary_key),
            cursor=cursor,
            columns=dict(columns or {}),
        )
        setattr(function, _MARK, info)
        return function

    return decorate


class Collector:
    """Several streams that share something, such as a session. It is made once for each run, with its configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config


class Run:
    """One run of one stream.

    Attributes:
        config: The collector's configuration; secrets are in place of `{"secret": NAME}`.
        state: What the last run saved.
    """

    def __init__(
        self, *, config: Mapping[str, Any], state: Mapping[str, Any], on_save: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self.config, self.state = config, dict(state)
        self._on_save = on_save

    def start(self, default: Any = None) -> Any:
        """The largest value of the cursor that the last run saw; `default` in the first run."""
        return self.state.get("cursor", default)

    def save(self, **state: Any) -> None:
        """Says that what was yielded until now need not come again: the next run finds this in `state`.

        It is kept only once the records before it are a version of the dataset.
        """
        self.state.update(state)
        self._on_save(self.state)


def find_streams(found: Any, config: Mapping[str, Any]) -> list[tuple[StreamInfo, Callable[..., Any]]]:
    """The streams of a function, or of a class, which is made for that."""
    if isinstance(found, type):
        made = found(config)
        members = (getattr(made, name) for name in dir(found) if not name.startswith("__"))
        streams = [(getattr(member, _MARK), member) for member in members if hasattr(member, _MARK)]
        if not streams:
            raise InvalidRequestError(f"{found.__name__} has no stream. Write @stream(...) above its methods.")
        return streams
    if not callable(found):
        raise InvalidRequestError(f"{found!r} is neither a function that yields records nor a Collector class.")
    return [(getattr(found, _MARK, None) or StreamInfo(name=found.__name__), found)]
