"""What of a request may be kept: nothing of the columns that name a person."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aimass_core.domain.models import ModelVersion
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature
from aimass_core.errors import NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import records

if TYPE_CHECKING:
    from aimass_core.domain.sources import CollectionPolicy, PiiAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Columns that name a person. `is_text_hidden`: persons are looked for in texts of the source, so none is kept."""

    columns: frozenset[str] = frozenset()
    is_text_hidden: bool = False

    def of(self, signature: Signature) -> set[str]:
        """By what the model takes."""
        texts = {
            spec.column or spec.name
            for spec in signature.inputs
            if spec.column_type is ColumnType.STRING and spec.categories is None
        }
        return set(self.columns) | (texts if self.is_text_hidden else set())


def find_hidden(ports: Ports, workspace_id: str, model_id: str, number: int) -> Hidden:
    """By the policies of the sources that fill the datasets which the version was trained on: what these mask, hash or
    drop comes to an endpoint as it is."""
    version = records.get(ports, ModelVersion, workspace_id, model_id, number)
    columns: set[str] = set()
    actions: set[PiiAction | None] = set()
    used = {(pinned.workspace_id or workspace_id, pinned.dataset_id) for pinned in version.datasets.values()}
    for owner_id, dataset_id in used:
        policy = _find_policy(ports, owner_id, dataset_id)
        if policy is not None:
            columns |= policy.pii.columns.keys()
            actions.add(policy.pii.detected)
    return Hidden(columns=frozenset(columns), is_text_hidden=bool(actions - {None}))


def _find_policy(ports: Ports, workspace_id: str, dataset_id: str) -> "CollectionPolicy | None":
    """None of a dataset that no source fills, and of what was deleted."""
    # NOTE: sources take long to import, and only what captures needs them.
    from aimass_core.domain.datasets import Dataset
    from aimass_core.domain.sources import SourceRecord

    try:
        dataset = records.get(ports, Dataset, workspace_id, dataset_id)
        if dataset.source_id is None:
            return None
        return records.get(ports, SourceRecord, workspace_id, dataset.source_id).policy
    except NotFoundError:
        return None
