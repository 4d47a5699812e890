"""Studies: made and continued by their jobs, read while these run, deleted when none does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Artifact, Job, PinnedDataset
from aimass_core.domain.studies import BestSoFar, Study, StudyBest, StudyFigures, Trial
from aimass_core.domain.study_specs import AutotrainSpec, SearchSpec, StudySpec
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError
from aimass_core.ports import BlobNotFoundError, Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import job_results, records

_OUTPUT = "output/"
_PAGE, _LEADERBOARD, _FIGURES = "study.html", "leaderboard.json", "figures/"

_MAX_NAME = 63
_SHORT_ID = 8
_MAX_DIFFERENCES = 5
# What another job of a study may choose anew. The data are compared by their digests.
_OPEN = {"study", "max_trials", "num_workers", "sampler", "pruner", "model", "dataset", "validation", "test"}
_OPEN |= {"fuse", "decompose"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A job that works on a study, and what is written beside it, in its transaction."""

    job: Job
    writes: list[Write]


def join(ports: Ports, principal: Principal, job: Job) -> Joined:
    """Makes the study that a job asks for, or continues it.

    Raises ConflictError where it searches for something else, is being worked on, or is being deleted.
    """
    spec = job.spec
    assert isinstance(spec, SearchSpec | AutotrainSpec)  # noqa: S101 - jobs of other kinds have no study
    found = None if spec.study is None else _find(ports, principal, spec.study)
    if found is None:
        return _begin(ports, principal, job, spec)
    _require_same(found, spec, job.channels)
    _require_open(ports, found)
    joined = found.model_copy(
        update={
            "spec": spec,
            "job_ids": [*found.job_ids, job.id],
            "updated_at": ports.clock(),
            "revision": found.revision + 1,
        }
    )
    writes: list[Write] = [
        Put(row=records.to_row(joined), expected=found.revision),
        records.audit(ports, principal, "study.continue", found, after=joined, job_id=job.id),
    ]
    return Joined(job=job.model_copy(update={"study_id": found.id}), writes=writes)


def list_studies(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Study], str | None]:
    """A page of the workspace's studies, newest first."""
    found, next_start = records.list_page(ports, Study, principal.workspace_id, limit=limit, start=start)
    return [_with_status(ports, study) for study in found], next_start


def get(ports: Ports, principal: Principal, id_or_name: str) -> Study:
    """One study. Raises NotFoundError."""
    return _with_status(ports, records.find(ports, Study, principal.workspace_id, id_or_name))


def list_trials(
    ports: Ports, principal: Principal, id_or_name: str, *, limit: int, start: str | None = None
) -> tuple[list[Trial], str | None]:
    """A page of a study's trials in the order of their numbers, those that run included."""
    study = records.find(ports, Study, principal.workspace_id, id_or_name)
    trials, after = ports.trials.list_trials(study.workspace_id, study.id, limit=limit, start=int(start or 0))
    return list(trials), None if after is None else str(after)


def get_best(ports: Ports, principal: Principal, id_or_name: str) -> StudyBest:
    """The best model so far, with links to its artifacts. Raises NotFoundError where no trial has left one."""
    study = records.find(ports, Study, principal.workspace_id, id_or_name)
    best = load_best(ports, study.workspace_id, study.id)
    if best is None:
        raise NotFoundError(
            f"No trial of the study {study.name!r} has left a model yet. Its trials: aimass studies trials {study.name}"
        )
    links = {
        artifact.name: job_results.sign(ports, trial_key(study.workspace_id, study.id, best, artifact), artifact)
        for artifact in best.artifacts
    }
    return StudyBest(**best.model_dump(), links=links)


def get_figures(ports: Ports, principal: Principal, id_or_name: str) -> StudyFigures:
    """What the newest job drew in the end, or while it ran; else what one before it did. Empty before any has."""
    study = records.find(ports, Study, principal.workspace_id, id_or_name)
    for position, job in enumerate(_newest_jobs(ports, study)):
        links = {link.name: link.url for link in job_results.list_artifacts(ports, job).artifacts}
        found = _to_figures(
            {name.removeprefix(_OUTPUT): url for name, url in links.items() if name.startswith(_OUTPUT)}
        )
        if found is None and position == 0:
            found = _to_figures(_live_links(ports, study))
        if found is not None:
            return found
    return StudyFigures()


def _to_figures(links: Mapping[str, str]) -> StudyFigures | None:
    """None where nothing was drawn. Links by names as they are in the job's output."""
    figures = {
        name.removeprefix(_FIGURES).removesuffix(".json"): url
        for name, url in links.items()
        if name.startswith(_FIGURES) and name.endswith(".json")
    }
    if not figures and _PAGE not in links:
        return None
    return StudyFigures(figures=figures, page=links.get(_PAGE), leaderboard=links.get(_LEADERBOARD))


def _live_links(ports: Ports, study: Study) -> dict[str, str]:
    folder = keys.study_live(study.workspace_id, study.id)
    names = [blob.key.removeprefix(folder) for blob in ports.lake.list(folder)]
    return {
        name: ports.lake.sign_get(
            folder + name, expires_seconds=job_results.LINK_SECONDS, download_name=name.rpartition("/")[2]
        )
        for name in names
    }


def delete(ports: Ports, principal: Principal, id_or_name: str) -> None:
    """Deletes a study with its trials and their artifacts; models that came of it stay.

    It is marked first, so that no job joins it, and its row goes last: what was interrupted can be deleted again.
    Raises ConflictError while a job works on it.
    """
    study = records.find(ports, Study, principal.workspace_id, id_or_name)
    if not study.is_being_deleted:
        _require_open(ports, study)
        try:
            study = records.save(ports, study, study.id, is_being_deleted=True)
        except StaleRevisionError as error:
            raise ConflictError(
                f"A job has begun to work on the study {study.name!r} in this moment. Stop it, or wait for it."
            ) from error
    ports.trials.delete_study(study.workspace_id, study.id)
    for blob in list(ports.lake.list(keys.study_prefix(study.workspace_id, study.id))):
        ports.lake.delete(blob.key)
    try:
        ports.registry.write(
            Delete(key=keys.row(study.workspace_id, Study.resource, study.id), expected=study.revision),
            Delete(key=keys.name_row(study.workspace_id, Study.resource, study.name), expected=1),
            records.audit(ports, principal, "study.delete", study, name=study.name),
        )
    except WriteConflictError as error:
        raise ConflictError(f"The study {study.name!r} is being deleted by somebody else. Look at it again.") from error


def load_best(ports: Ports, workspace_id: str, study_id: str) -> BestSoFar | None:
    """`best.json` of a study; None before any trial has left a model."""
    try:
        body = ports.lake.get(keys.study_best(workspace_id, study_id))
    except BlobNotFoundError:
        return None
    return BestSoFar.model_validate_json(body)


def trial_key(workspace_id: str, study_id: str, best: BestSoFar, artifact: Artifact) -> str:
    """Where an artifact of the best trial lies in the lake."""
    return keys.study_trial(workspace_id, study_id, best.trial, artifact.name)


def _find(ports: Ports, principal: Principal, name: str) -> Study | None:
    try:
        return records.find(ports, Study, principal.workspace_id, name)
    except NotFoundError:
        return None


def _begin(ports: Ports, principal: Principal, job: Job, spec: SearchSpec | AutotrainSpec) -> Joined:
    fields = records.new_fields(ports, principal, Study)
    ending = f"-{fields['id'][-_SHORT_ID:]}"
    name = spec.study or job.channels["train"].dataset_name[: _MAX_NAME - len(ending)] + ending
    spec = spec.model_copy(update={"study": name})
    study = Study(**fields, name=name, spec=spec, channels=job.channels, job_ids=[job.id])
    reservation = keys.name_row(study.workspace_id, Study.resource, name)
    writes: list[Write] = [
        Put(row=records.to_row(study)),
        Put(row=Row(key=reservation, data={"id": study.id}, revision=1)),
        records.audit(ports, principal, "study.create", study),
    ]
    return Joined(job=job.model_copy(update={"spec": spec, "study_id": study.id}), writes=writes)


def _require_open(ports: Ports, study: Study) -> None:
    """A study is continued and deleted between its jobs: these begin one after the other, so the newest one tells."""
    if study.is_being_deleted:
        raise ConflictError(f"The study {study.name!r} is being deleted. Delete it again, or take another name.")
    newest = next(_newest_jobs(ports, study), None)
    if newest is not None and not newest.status.is_terminal:
        raise ConflictError(
            f"The job {newest.id}, which is {newest.status}, works on the study {study.name!r}. "
            f"Wait for it, or stop it: aimass jobs stop {newest.id}"
        )


def _require_same(study: Study, spec: StudySpec, channels: dict[str, PinnedDataset]) -> None:
    """FAULTS E6: trials on other data, or of another search, cannot be compared with those that are there."""
    differences = [
        f"its {name} data were {_tell(study.channels.get(name))}, and now they are {_tell(channels.get(name))}"
        for name in sorted(study.channels.keys() | channels.keys())
        if _digest(study.channels.get(name)) != _digest(channels.get(name))
    ]
    before, now = (each.model_dump(mode="json", exclude=_OPEN) for each in (study.spec, spec))
    differences += [
        f"{place} was {_shorten(old)}, and now it is {_shorten(new)}" for place, old, new in _differ(before, now, "")
    ]
    if differences:
        more = len(differences) - _MAX_DIFFERENCES
        listed = "; ".join(differences[:_MAX_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
        raise ConflictError(
            f"The study {study.name!r} was another one: {listed}. Ask for the same again to continue it, or take "
            "another name for a new study."
        )


def _differ(before: Any, now: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ, as `candidates.0.space.max_depth.high`."""
    if before == now:
        return
    dot = f"{place}." if place else ""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*before, *now]):
            yield from _differ(before.get(name), now.get(name), f"{dot}{name}")
    elif isinstance(before, list) and isinstance(now, list):
        for index, (old, new) in enumerate(zip_longest(before, now)):
            yield from _differ(old, new, f"{dot}{index}")
    else:
        yield place, before, now


def _digest(pin: PinnedDataset | None) -> str | None:
    return None if pin is None else pin.digest


def _tell(pin: PinnedDataset | None) -> str:
    return "none" if pin is None else f"{pin.dataset_name}@{pin.number}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _with_status(ports: Ports, study: Study) -> Study:
    newest = next(_newest_jobs(ports, study), None)
    return study if newest is None else study.model_copy(update={"status": newest.status})


def _newest_jobs(ports: Ports, study: Study) -> Iterator[Job]:
    for job_id in reversed(study.job_ids):
        yield records.get(ports, Job, study.workspace_id, job_id)
