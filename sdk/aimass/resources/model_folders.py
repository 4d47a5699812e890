"""Model versions as folders that `python -m batch_jobs serve` serves: a folder for each model, and in it one for each
version, with `SHA256SUMS` beside the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aimass_core.domain.models import ArtifactName

if TYPE_CHECKING:
    from aimass.resources.models import ModelsApi, ModelVersion

_SERVED = (
    ArtifactName.MODEL,
    ArtifactName.SIGNATURE,
    ArtifactName.CARD,
    ArtifactName.GOLDEN,
    ArtifactName.FUSION,
)


def save(models: ModelsApi, version: ModelVersion, folder: Path) -> Path:
    """The folder of the version, below `folder`. A fusion that is served with its members apart brings them along."""
    path = folder / version.model_name / str(version.number)
    _save(version, path)
    if any(artifact.name == ArtifactName.FUSION for artifact in version.artifacts):
        for parent in version.parents:
            member = models.get_version(parent.model_id, parent.number)
            _save(member, path / "members" / member.ref)
    return path


def _save(version: ModelVersion, path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    sums = {artifact.name: artifact.sha256 for artifact in version.artifacts if artifact.name in _SERVED}
    for name in sums:
        version.download(name, path / name)
    (path / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
