"""What one answered request was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from numpy.typing import NDArray

from aimass_core.domain.endpoints import Endpoint, ServedModel
from aimass_core.domain.signatures import Signature


@dataclass(frozen=True, slots=True)
class OutputRows(Sequence[Mapping[str, Any]]):
    """A model's outputs row by row, taken apart only where somebody looks: most requests are not kept."""

    arrays: Mapping[str, NDArray[Any]]
    num_rows: int

    def __len__(self) -> int:
        return self.num_rows

    @overload
    def __getitem__(self, row: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, row: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(self.num_rows))]
        if not -self.num_rows <= row < self.num_rows:
            raise IndexError(row)
        return {name: array[row] for name, array in self.arrays.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Rows that were answered: `rows` are their places in `inputs` (and `records`), `outputs` the model's for each.

    `records` are friendly rows as they were sent; `client_id` is what the client of the protocol called its request.
    """

    endpoint: Endpoint
    version: ServedModel
    signature: Signature
    inputs: Mapping[str, NDArray[Any]]
    rows: Sequence[int]
    outputs: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]] = ()
    client_id: str | None = None
