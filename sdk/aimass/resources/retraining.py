"""Trains a model again as it was trained, without the rows of a source or rows that an expression names.

What is left out is left out of the data: a recipe makes new versions of the datasets, in datasets of their own, and the
new model leads back to those. Test data stay as they are where only rows are named, so that both models are judged by
the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aimass.binding import to_request
from aimass.resources.job_requests import ModelLike, to_model_ref
from aimass_core.domain.artifacts import PinnedDataset
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.recipe_steps import Join
from aimass_core.domain.recipes import DATA_CHANNEL, PrepareSpec, join_channel
from aimass_core.domain.study_specs import StudySpec
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from aimass.client import Client
    from aimass.resources.jobs import Job
    from aimass.resources.models import ModelVersion

_FIELDS = {"train": "dataset", "validation": "validation", "test": "test"}
_MAX_NAME, _MAX_SOURCE_NAME = 63, 30
OnPrepare = Callable[["Job"], None]


def retrain(
    client: Client,
    model: ModelLike,
    *,
    without_source: str | None = None,
    without_rows: str | None = None,
    max_seconds: int | None = None,
    on_prepare: OnPrepare = lambda _job: None,
) -> Job:
    """Prepares the data, waits for that, and submits the training, whose job is returned.

    Args:
        without_source: Name or id of the source. Datasets that it fills go; joins of them are left out of the recipe.
        without_rows: An expression of a recipe, `plan = 'trial'` say; rows of which it is true go.
        max_seconds: Of the training; default: as before.
        on_prepare: Hears of each job that prepares data, before it is waited for.

    Raises:
        InvalidRequestError: Nothing of it is in the model, or nothing would be left.
    """
    if (without_source is None) is (without_rows is None):
        raise InvalidRequestError("Say what to leave out: either without_source or without_rows.")
    version, job = _find(client, model)
    retraining = _Retraining(client, version, job, on_prepare)
    data: Mapping[str, str | None]
    if without_rows is not None:
        data = retraining.without_rows(without_rows)
    else:
        data = retraining.without_source(str(without_source))
    spec = job.spec.model_dump(mode="json", exclude_none=True)
    same = {channel: _reference(pin) for channel, pin in job.channels.items()}
    changes: dict[str, Any] = {_FIELDS[channel]: reference for channel, reference in {**same, **data}.items()}
    if isinstance(job.spec, StudySpec):
        changes["study"] = None  # one that went on would take the scores of other data for its own
    request = to_request(
        JobCreate,
        spec={**spec, **changes, "model": version.model_name},
        compute=job.compute.model_dump(mode="json", exclude_none=True),
        max_seconds=max_seconds or job.max_seconds,
    )
    return client.jobs.submit(request)


def _find(client: Client, model: ModelLike) -> tuple[ModelVersion, Job]:
    name, number = split_ref(to_model_ref(model))
    if number is None:
        number = client.models.get(name).latest_version
    if number is None:
        raise InvalidRequestError(f"The model {name!r} has no version.")
    version = client.models.get_version(name, number)
    job = client.jobs.get(version.job_id)
    if not isinstance(job.spec, LearningSpec):
        parents = ", ".join(f"{parent.model_name}@{parent.number}" for parent in version.parents)
        raise InvalidRequestError(
            f"{version.ref} was made by a {job.kind} job, which does not train on rows."
            + (f" Retrain what it was made of, and make it of that again: {parents}." if parents else "")
        )
    return version, job


@dataclass(slots=True)
class _Retraining:
    client: Client
    version: ModelVersion
    job: Job
    on_prepare: OnPrepare
    _prepared: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def without_rows(self, expression: str) -> dict[str, str | None]:
        """References of the data by channel, but for those that stay."""
        steps = [{"do": "filter", "where": f"coalesce(not ({expression}), true)"}]
        return {
            channel: self._prepare(_reference(pin), steps, output=_output(pin.dataset_name, "rows"))[""]
            for channel, pin in self.job.channels.items()
            if channel != "test"
        }

    def without_source(self, source: str) -> dict[str, str | None]:
        """The same; None for one that goes as a whole."""
        found = self.client.sources.get(source)
        data: dict[str, str | None] = {}
        for channel, pin in self.job.channels.items():
            if self._is_of(pin, found.id):
                data[channel] = None
            elif (made := self._make_without(pin, found.id, found.name)) is not None:
                data[channel] = made
        self._refuse_what_is_deeper(found.name, data)
        if not data:
            read = ", ".join(f"{pin.dataset_name}@{pin.number}" for pin in self.job.channels.values())
            raise InvalidRequestError(
                f"{self.version.ref} did not come from the source {found.name!r}: it was trained on {read}."
            )
        if "train" in data and data["train"] is None:
            raise self._all_of_it(found.name)
        return data

    def _refuse_what_is_deeper(self, source: str, data: Mapping[str, str | None]) -> None:
        """What a recipe made of what a recipe made is not made anew."""
        models = [model for dataset in self.client.sources.lineage(source).datasets for model in dataset.models]
        for model in models:
            is_it = (model.model_name, model.number) == (self.version.model_name, self.version.number)
            if is_it and model.through and not model.dataset_versions.keys() <= data.keys():
                raise InvalidRequestError(
                    f"The source {source!r} is in {self.version.ref} through {', '.join(model.through)}, which were "
                    f"made of each other. Prepare {model.through[-1]} and what follows without it, and train on that."
                )

    def _make_without(self, pin: PinnedDataset, source_id: str, source_name: str) -> str | None:
        """Where a recipe has made the version and joined something of the source: the recipe without that."""
        made = next(each for each in self.client.datasets.versions(pin.dataset_id) if each.number == pin.number)
        maker = None if made.job_id is None else self.client.jobs.get(made.job_id)
        if maker is None or not isinstance(maker.spec, PrepareSpec):
            return None
        spec = maker.spec
        if self._is_of(maker.channels[DATA_CHANNEL], source_id):
            raise self._all_of_it(source_name)
        left = [
            step
            for index, step in enumerate(spec.recipe.steps)
            if not (isinstance(step, Join) and self._is_of(maker.channels[join_channel(index)], source_id))
        ]
        if len(left) == len(spec.recipe.steps):
            return None
        if spec.mode is WriteMode.APPEND:
            raise InvalidRequestError(
                f"{pin.dataset_name}@{pin.number} was appended to what was there, and its rows cannot be told from "
                "those. Prepare it anew, and train on that."
            )
        data = _reference(maker.channels[DATA_CHANNEL])
        if not left:
            return data
        base = str(spec.output)
        part = pin.dataset_name.removeprefix(f"{base}-") if spec.recipe.parts else ""
        if maker.id not in self._prepared:
            steps = [step.model_dump(mode="json", exclude_none=True) for step in left]
            self._prepared[maker.id] = self._prepare(data, steps, output=_output(base, source_name))
        return self._prepared[maker.id][part]

    def _prepare(self, dataset: str, steps: Sequence[Mapping[str, Any]], *, output: str) -> dict[str, str]:
        """References of the versions that it makes, by part."""
        job = self.client.jobs.prepare(dataset, list(steps), output=output)
        self.on_prepare(job)
        outputs = job.wait().preparation().outputs
        return {made.part: f"{made.dataset_name}@{made.number}" for made in outputs}

    def _is_of(self, pin: PinnedDataset, source_id: str) -> bool:
        return self.client.datasets.get(pin.dataset_id).source_id == source_id

    def _all_of_it(self, source_name: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"All rows that {self.version.ref} was trained on come from the source {source_name!r}: without them "
            "nothing is left to learn from. Train on another dataset, or leave out some of the rows: without_rows."
        )


def _reference(pin: PinnedDataset) -> str:
    """NOTE: a dataset of another workspace has no name here."""
    return f"{pin.dataset_name if pin.workspace_id is None else pin.dataset_id}@{pin.number}"


def _output(dataset_name: str, what: str) -> str:
    ending = f"-without-{what[:_MAX_SOURCE_NAME]}"
    return f"{dataset_name[: _MAX_NAME - len(ending)]}{ending}"
