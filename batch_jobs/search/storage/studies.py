"""Studies' own rows: name, directions, attributes, and what each hyperparameter's distribution was at first."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility, distribution_to_json
from optuna.exceptions import DuplicatedStudyError
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.study import StudyDirection

from aimass_core.domain import keys
from aimass_core.domain.keys import RowKey
from aimass_core.errors import InvalidRequestError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.expressions import Expression, Item, text
from batch_jobs.search.storage.table import ConditionFailedError, StudiesTable, to_key

NAME, DIRECTIONS, DISTRIBUTIONS, STUDY_ID = "name", "directions", "distributions", "study_id"
_COUNTER = "last_study_id"
_MAX_NAME_BYTES = 1_000  # a sort key has at most 1,024


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """A study without its trials."""

    study_id: int
    name: str
    directions: list[StudyDirection]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    distributions: dict[str, BaseDistribution]


class Studies:
    """The studies of one workspace."""

    def __init__(self, table: StudiesTable, *, workspace_id: str) -> None:
        self._table, self._workspace_id = table, workspace_id

    def create(self, directions: Sequence[StudyDirection], name: str | None) -> int:
        """Makes a study with an id that no other has or had.

        Raises:
            DuplicatedStudyError: the name is taken.
        """
        name = f"{DEFAULT_STUDY_NAME_PREFIX}{uuid.uuid4()}" if name is None else name
        if len(name.encode()) > _MAX_NAME_BYTES:
            raise InvalidRequestError(f"The study's name has {len(name.encode()):,} bytes. Take at most 1,000.")
        counter = RowKey(keys.studies_partition(self._workspace_id), keys.STUDY_COUNTER_ROW)
        study_id = self._table.add_one(counter, _COUNTER)
        row = {
            NAME: text(name),
            DIRECTIONS: items.to_json([direction.name for direction in directions]),
            **{section: {"M": {}} for section in (items.USER_ATTRS, items.SYSTEM_ATTRS, DISTRIBUTIONS)},
        }
        is_new = {"ConditionExpression": "attribute_not_exists(pk)"}
        name_item = {**to_key(self._name_key(name)), STUDY_ID: {"N": str(study_id)}}
        try:
            self._table.write_all(
                {"Put": {"Item": name_item, **is_new}},
                {"Put": {"Item": {**to_key(self._key(study_id)), **row}, **is_new}},
            )
        except ConditionFailedError as error:
            raise DuplicatedStudyError(f"There is a study {name!r}. Take another name, or load that one.") from error
        return study_id

    def find(self, name: str) -> int:
        """The id of a study.

        Raises:
            KeyError: there is none of this name.
        """
        item = self._table.get(self._name_key(name))
        if item is None:
            raise KeyError(f"There is no study {name!r}.")
        return int(item[STUDY_ID]["N"])

    def list_all(self) -> Iterator[StudyRow]:
        """By id."""
        names = self._table.query(
            keys.studies_partition(self._workspace_id),
            start=keys.STUDY_NAMES_PREFIX,
            end=f"{keys.STUDY_NAMES_PREFIX}\U0010ffff",
        )
        rows = self._table.get_many([self._key(int(item[STUDY_ID]["N"])) for item in names])
        yield from sorted(map(from_item, rows), key=lambda row: row.study_id)

    def delete(self, row: StudyRow) -> None:
        """The trials first, so that a deletion that was interrupted can be repeated; then those made meanwhile."""
        self._delete_trials(row.study_id)
        self._table.write_all(
            {"Delete": {"Key": to_key(self._name_key(row.name))}}, {"Delete": {"Key": to_key(self._key(row.study_id))}}
        )
        self._delete_trials(row.study_id)

    def set_attribute(self, study_id: int, section: str, key: str, value: Any) -> StudyRow:
        """Sets one of the user's or of Optuna's attributes.

        Raises:
            KeyError: there is no such study.
        """
        expression = Expression()
        expression.assign([section, key], items.to_json(value))
        return self._update(study_id, expression)

    def check_distribution(self, row: StudyRow, name: str, distribution: BaseDistribution) -> StudyRow:
        """Compares a distribution with the first of its name; returns the row with it.

        Raises:
            ValueError: the two do not go together.
        """
        if name not in row.distributions:
            expression = Expression()
            expression.assign([DISTRIBUTIONS, name], text(distribution_to_json(distribution)), keep=True)
            row = self._update(row.study_id, expression)
        check_distribution_compatibility(row.distributions[name], distribution)
        return row

    def _update(self, study_id: int, expression: Expression) -> StudyRow:
        try:
            return from_item(self._table.update(self._key(study_id), expression, condition="attribute_exists(pk)"))
        except ConditionFailedError as error:
            raise KeyError(f"There is no study with the id {study_id}.") from error

    def _delete_trials(self, study_id: int) -> None:
        partition = keys.study_partition(self._workspace_id, study_id)
        found = self._table.query(partition, start=keys.trial_row(0), end=keys.STUDY_ROW, only_keys=True)
        sort_keys = [item["sk"]["S"] for item in found]
        self._table.delete_many([RowKey(partition, sort) for sort in sort_keys if sort != keys.STUDY_ROW])

    def _key(self, study_id: int) -> RowKey:
        return RowKey(keys.study_partition(self._workspace_id, study_id), keys.STUDY_ROW)

    def _name_key(self, name: str) -> RowKey:
        return keys.study_name_row(self._workspace_id, name)


def from_item(item: Item) -> StudyRow:
    """The row of an item."""
    return StudyRow(
        study_id=int(item["pk"]["S"].rpartition("#")[2]),
        name=item[NAME]["S"],
        directions=[StudyDirection[name] for name in json.loads(item[DIRECTIONS]["S"])],
        user_attrs=items.from_map(item[items.USER_ATTRS]),
        system_attrs=items.from_map(item[items.SYSTEM_ATTRS]),
        distributions={name: items.to_distribution(v["S"]) for name, v in item[DISTRIBUTIONS]["M"].items()},
    )
