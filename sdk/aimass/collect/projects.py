"""A collector's folder: its source.yaml, runs of it on this machine, and what they said."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, PrivateAttr, TypeAdapter, ValidationError

from aimass_core.domain.collector_messages import MAX_LINE_BYTES, Note, Record, State, StreamSchema, parse
from aimass_core.domain.collectors import Collector, PythonCollector, SingerCollector
from aimass_core.domain.sources import CollectionPolicy
from aimass_core.errors import InvalidDataError, InvalidRequestError

SETTINGS = "source.yaml"
_UNPUBLISHED = "0" * 64
_MAX_EXAMPLES = 3
_COLLECTOR: TypeAdapter[Collector] = TypeAdapter(Collector)


class CollectorFailedError(InvalidDataError):
    """The collector's program ended with an error; what it said is on standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with a source.yaml. Its collector has no package until it is published."""

    folder: Path
    settings: Mapping[str, Any]
    collector: PythonCollector | SingerCollector
    policy: CollectionPolicy


class StreamReport(BaseModel):
    """What a stream said, and what is wrong with it."""

    name: str
    primary_key: tuple[str, ...] = ()
    num_records: int = 0
    columns: dict[str, set[str]] = {}
    examples: list[dict[str, Any]] = []
    num_without_key: int = 0
    num_repeated: int = 0
    _seen: set[str] = PrivateAttr(default_factory=set)

    def add(self, record: dict[str, Any]) -> None:
        """Counts one record."""
        self.num_records += 1
        for name, value in record.items():
            self.columns.setdefault(name, set()).add(type(value).__name__)
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(record)
        if self.primary_key:
            values = [record.get(name) for name in self.primary_key]
            key = json.dumps(values, default=str)
            self.num_without_key += any(value is None for value in values)
            self.num_repeated += key in self._seen
            self._seen.add(key)

    def problems(self) -> list[str]:
        """What a run of the source would stumble over."""
        found = []
        if self.num_without_key:
            found.append(f"{self.num_without_key} records have no value in the primary key {list(self.primary_key)}.")
        if self.num_repeated:
            found.append(f"{self.num_repeated} records repeat a primary key: of these only the last one is kept.")
        for name, kinds in self.columns.items():
            if len(kinds - {"NoneType"} - {"int", "float"}) + bool(kinds & {"int", "float"}) > 1:
                found.append(f"Column {name!r} is sometimes {' and sometimes '.join(sorted(kinds - {'NoneType'}))}.")
        return found


@dataclass(slots=True)
class Tried:
    """What a run on this machine said. `state` is Singer's; None where it said none."""

    streams: dict[str, StreamReport] = field(default_factory=dict)
    state: Any = None
    is_cut: bool = False


def open_project(folder: Path) -> Project:
    """Raises InvalidRequestError."""
    path = folder / SETTINGS
    if not path.is_file():
        raise InvalidRequestError(
            f"{folder} has no {SETTINGS}. Name a collector's folder, or make one: aimass collectors new my-source"
        )
    try:
        settings = yaml.safe_load(path.read_text("utf-8")) or {}
        collector = _COLLECTOR.validate_python({"package": _UNPUBLISHED, **settings.get("collector", {})})
        policy = CollectionPolicy.model_validate(settings.get("policy") or {})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise InvalidRequestError(f"{path}: {faults}") from error
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise InvalidRequestError(f"{path} is not as it should be: {error}") from error
    if not isinstance(collector, PythonCollector | SingerCollector):
        raise InvalidRequestError(
            f"{path} has a collector of the type {collector.type}, which has no program. Make a source of it: "
            f"aimass sources create <name> {path}"
        )
    return Project(folder=folder, settings=settings, collector=collector, policy=policy)


def try_run(
    project: Project,
    *,
    state: Any = None,
    limit: int | None = None,
    variables: Mapping[str, str] = os.environ,
    on_record: Callable[[Record], None] = lambda _record: None,
    on_note: Callable[[str], None] = lambda _text: None,
) -> Tried:
    """Runs the collector on this machine, in a process of its own.

    Args:
        state: where to go on.
        limit: records after which it is stopped.
        variables: `{"secret": NAME}` in the configuration is the variable of that name.

    Raises:
        InvalidDataError: what it says is no message.
        CollectorFailedError: it ended with an error.
    """
    tried = Tried()
    num_records = 0
    with _start(project, state, variables) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        while line := process.stdout.readline(MAX_LINE_BYTES + 1):
            for message in parse(line):
                match message:
                    case StreamSchema(stream=name, primary_key=key):
                        report = tried.streams.setdefault(name, StreamReport(name=name))
                        report.primary_key = tuple(key)
                    case Record(stream=name, data=data):
                        tried.streams.setdefault(name, StreamReport(name=name)).add(data)
                        on_record(message)
                        num_records += 1
                    case State(value=value):
                        tried.state = value
                    case Note(text=text, is_error=is_error):
                        if is_error:
                            raise CollectorFailedError(f"The collector says: {text}")
                        on_note(text)
            if limit is not None and num_records >= limit:
                tried.is_cut = True
                return tried
        if process.wait():
            raise CollectorFailedError(
                f"The collector ended with exit code {process.returncode}; what it said is above."
            )
    return tried


@contextmanager
def _start(project: Project, state: Any, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryDirectory(prefix="aimass-collect-") as folder:
        config = Path(folder) / "config.json"
        config.touch(0o600)
        config.write_text(json.dumps(_resolve(project.collector.config, variables)), "utf-8")
        arguments = ["--config", str(config)]
        if state is not None:
            path = Path(folder) / "state.json"
            path.write_text(json.dumps(state), "utf-8")
            arguments += ["--state", str(path)]
        command = (
            [sys.executable, "-u", "-m", "aimass.collect", project.collector.entry_point]
            if isinstance(project.collector, PythonCollector)
            else list(project.collector.command)
        )
        try:
            process = subprocess.Popen([*command, *arguments], cwd=project.folder, stdout=subprocess.PIPE)
        except OSError as error:
            raise InvalidRequestError(f"The command {command[0]!r} cannot be started: {error}.") from error
        try:
            yield process
        finally:
            process.terminate()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _resolve(config: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(config, dict):
        if set(config) == {"secret"}:
            name = str(config["secret"])
            if name not in variables:
                raise InvalidRequestError(
                    f"The configuration needs the secret {name!r}. On this machine it is a variable: export {name}=..."
                )
            return variables[name]
        return {name: _resolve(value, variables) for name, value in config.items()}
    return [_resolve(value, variables) for value in config] if isinstance(config, list) else config
