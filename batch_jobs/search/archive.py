"""What trials leave in the lake beside their numbers: the models of good ones, and `best.json` that names the best."""

import hashlib
import io
import logging
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from aimass_core.domain import keys
from aimass_core.domain.jobs import Artifact, TrainSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.domain.studies import BestSoFar
from aimass_core.ports import BlobNotFoundError
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.runtime.environment import StudyPlace
from batch_jobs.train.exporting import Exported, to_files
from batch_jobs.train.handover import write_validation_report
from batch_jobs.train.material import Part

SCORES = "output/validation_scores.npy"
_BEST = "best.json"
_NUM_READERS = 8
_log = logging.getLogger(__name__)


class Files(Protocol):
    """Where a study's files lie."""

    def put(self, key: str, body: bytes) -> None:
        """Writes or replaces one."""

    def get(self, key: str) -> bytes | None:
        """None where there is none."""


@dataclass(frozen=True, slots=True)
class LakeFiles:
    """Satisfies `Files`."""

    place: StudyPlace

    def put(self, key: str, body: bytes) -> None:
        """See Files."""
        content_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
        self.place.ports.lake.put(key, body, content_type=content_type)

    def get(self, key: str) -> bytes | None:
        """See Files."""
        try:
            return self.place.ports.lake.get(key)
        except BlobNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Satisfies `Files`, for a study without a registry, which one worker has to itself."""

    path: Path

    def put(self, key: str, body: bytes) -> None:
        """See Files."""
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def get(self, key: str) -> bytes | None:
        """See Files."""
        path = self.path / key
        return path.read_bytes() if path.exists() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What there is to know of a model before it is loaded: its answers to the rows that judged it, and its form."""

    scores: Array
    signature: Signature


class Archive:
    """The files of one study. A trial's are written once, by the worker that ran it."""

    def __init__(self, place: StudyPlace | None, scratch_path: Path) -> None:
        self._files: Files = LocalFiles(scratch_path / "study") if place is None else LakeFiles(place)
        self._ids = ("local", "local") if place is None else (place.workspace_id, place.study_id)
        self._is_registered = place is not None
        self._scratch_path = scratch_path
        self._kept: set[int] = set()

    def put_live(self, name: str, body: bytes) -> None:
        """What is to be seen of the study now."""
        self._files.put(keys.study_live(*self._ids, name), body)

    def keep(self, number: int, exported: Exported, values: list[float]) -> None:
        """Leaves the model of a trial and the answers that it was judged by: a model version can be made of it at any
        moment."""
        if number in self._kept:
            return
        buffer = io.BytesIO()
        np.save(buffer, exported.validation_scores, allow_pickle=False)
        bodies = {f"model/{name}": body for name, body in to_files(exported).items()} | {SCORES: buffer.getvalue()}
        best = BestSoFar(
            trial=number,
            values=values,
            metrics=dict(exported.card.evaluations[-1].metrics),
            artifacts=self._put(number, bodies),
            at=datetime.now(UTC),
        )
        self._files.put(self._key(number, _BEST), best.model_dump_json(indent=1).encode())
        self._kept.add(number)

    def report(self, number: int, exported: Exported) -> None:
        """Adds its report to the model of a trial that was kept, where there is a registry to make a version of it."""
        if not self._is_registered:
            return
        record = self._files.get(self._key(number, _BEST))
        assert record is not None  # noqa: S101  as the docstring says
        best = BestSoFar.model_validate_json(record)
        artifacts = [*best.artifacts, *self._put(number, self._report(number, exported))]
        changed = best.model_copy(update={"artifacts": artifacts})
        self._files.put(self._key(number, _BEST), changed.model_dump_json(indent=1).encode())

    def publish_best(self, find: Callable[[], int | None]) -> None:
        """Names the best trial in best.json, and looks again until that is still so.

        Of two workers that write at the same time the later one may be the worse; both look after they have written,
        so the last of them to look sees both trials, and sets it right. A trial whose files are not there yet is left
        to its worker, who is about to write them.

        Args:
            find: the number of the best trial as the table has it now.
        """
        written: int | None = None
        while (number := find()) is not None and number != written:
            record = self._files.get(self._key(number, _BEST))
            if record is None:
                _log.info("trial %d is the best, and its worker has not left its model yet", number)
                return
            self._files.put(keys.study_best(*self._ids), record)
            written = number

    def find_kept(self, numbers: Iterable[int]) -> dict[int, Kept]:
        """Of those of these trials whose models were kept, in their order."""
        wanted = list(numbers)
        with ThreadPoolExecutor(_NUM_READERS) as readers:
            found = readers.map(self._find_kept, wanted)
            return {number: kept for number, kept in zip(wanted, found, strict=True) if kept is not None}

    def load(self, number: int, spec: TrainSpec, validated: Part) -> Exported | None:
        """The model of a trial, if it was kept."""
        kept = self._find_kept(number)
        found = {name: self._files.get(self._key(number, f"model/{name}")) for name in _OTHERS}
        bodies = {name: body for name, body in found.items() if body is not None}
        if kept is None or len(bodies) < len(_OTHERS):
            return None
        model = bodies[ArtifactName.MODEL]
        return Exported(
            spec=spec,
            model=model,
            signature=kept.signature,
            scorer=Scorer(model, kept.signature),
            golden=Golden.model_validate_json(bodies[ArtifactName.GOLDEN]),
            card=Card.model_validate_json(bodies[ArtifactName.CARD]),
            validated=validated,
            validation_scores=kept.scores,
        )

    def _find_kept(self, number: int) -> Kept | None:
        names = (SCORES, f"model/{ArtifactName.SIGNATURE}")
        scores, signature = (self._files.get(self._key(number, name)) for name in names)
        if scores is None or signature is None:
            return None
        return Kept(
            scores=np.load(io.BytesIO(scores), allow_pickle=False), signature=Signature.model_validate_json(signature)
        )

    def _put(self, number: int, bodies: Mapping[str, bytes]) -> list[Artifact]:
        for name, body in bodies.items():
            self._files.put(self._key(number, name), body)
        return [_to_artifact(name, body) for name, body in sorted(bodies.items())]

    def _report(self, number: int, exported: Exported) -> dict[str, bytes]:
        path = self._scratch_path / f"report-{number}"
        write_validation_report(exported, path)
        return {f"model/{file.name}": file.read_bytes() for file in sorted(path.iterdir())}

    def _key(self, number: int, name: str) -> str:
        return keys.study_trial(*self._ids, number, name)


_OTHERS = (ArtifactName.MODEL, ArtifactName.GOLDEN, ArtifactName.CARD)


def _to_artifact(name: str, body: bytes) -> Artifact:
    return Artifact(name=name, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
