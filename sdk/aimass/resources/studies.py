"""Studies: their trials, the best so far, figures, and going on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass.binding import Api, Bound, Pages, to_request
from aimass.resources.job_requests import chosen
from aimass_core.domain import studies as contract
from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.studies import Leaderboard, StudyFigures, Trial
from aimass_core.errors import NotFoundError

if TYPE_CHECKING:
    from aimass.resources.jobs import Job

_PATH = "/v1/studies"


class StudyBest(contract.StudyBest, Bound):
    """The best trial so far, with a usable model."""

    def download(self, folder: str | Path = ".") -> list[Path]:
        """Saves its artifacts, `model.onnx` and others, in a folder, which is made."""
        to = Path(folder)
        to.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, url in self.links.items():
            paths.append(to / name.rpartition("/")[2])
            paths[-1].write_bytes(self._client.http.fetch(url, name=f"{name} of trial {self.trial}"))
        return paths


class Study(contract.Study, Bound):
    """An optimisation; jobs add trials to it."""

    def refresh(self) -> Study:
        """As it is now."""
        return self._client.studies.get(self.id)

    def trials(self) -> Pages[Trial]:
        """In the order of their numbers, those that run included."""
        return self._client.studies.trials(self.name)

    @property
    def best(self) -> StudyBest:
        """The best so far, whether its jobs have ended or not. Raises NotFoundError where no trial is complete."""
        return self._client.studies.best(self.name)

    def figures(self) -> dict[str, Any]:
        """Plotly's JSON by name: history, parallel_coordinates, importances, slice, pareto_front, ..."""
        return self._client.studies.figures(self.name)

    def plot(self, path: str | Path | None = None) -> Path:
        """Saves one HTML page with all figures, which needs no network; default: under the study's name, here."""
        return self._client.studies.plot(self.name, path or f"{self.name}.html")

    def leaderboard(self) -> Leaderboard:
        """Its models, best first, also while a job runs or where it was stopped. Raises NotFoundError before any."""
        return self._client.studies.leaderboard(self.name)

    def resume(
        self,
        *,
        max_seconds: int | None = None,
        max_trials: int | None = None,
        num_workers: int | None = None,
        max_cost_usd: float | None = None,
        **compute: Any,
    ) -> Job:
        """Goes on with what it knows, on the same data, as a new job.

        Args:
            max_seconds: To the end of the job.
            max_trials: Of the study in all, those that it has included; default: as before.
            num_workers: Default: as before.
            max_cost_usd: See `JobsApi.train`.
            **compute: vcpus, memory_mib, gpus, backend, instance_type, spot, max_wait_seconds.

        Raises:
            ConflictError: Another job works on it.
        """
        pinned = {name: f"{found.dataset_name}@{found.number}" for name, found in self.channels.items()}
        data = {"dataset" if channel == "train" else channel: ref for channel, ref in pinned.items()}
        changes = chosen(study=self.name, max_trials=max_trials, num_workers=num_workers) | data
        request = to_request(
            JobCreate,
            spec={**self.spec.model_dump(mode="json"), **changes},
            compute=chosen(**compute),
            **chosen(max_seconds=max_seconds, max_cost_usd=max_cost_usd),
        )
        return self._client.jobs.submit(request)


class StudiesApi(Api):
    """`client.studies`. A study is named by its name or its id."""

    def list(self) -> Pages[Study]:
        """All of the workspace, newest first."""
        return self._list(Study, _PATH)

    def get(self, study: str) -> Study:
        """One study."""
        return self._get(Study, f"{_PATH}/{study}")

    def trials(self, study: str) -> Pages[Trial]:
        """In the order of their numbers."""
        return self._list(Trial, f"{_PATH}/{study}/trials")

    def best(self, study: str) -> StudyBest:
        """See Study.best."""
        return self._get(StudyBest, f"{_PATH}/{study}/best")

    def figures(self, study: str) -> dict[str, Any]:
        """See Study.figures."""
        links = self._figure_links(study).figures
        return {name: json.loads(self._client.http.fetch(url, name=name)) for name, url in links.items()}

    def plot(self, study: str, path: str | Path) -> Path:
        """See Study.plot."""
        page = self._figure_links(study).page
        if page is None:
            raise NotFoundError(f"The study {study} has no figures yet: they are drawn after its first trial.")
        target = Path(path)
        target.write_bytes(self._client.http.fetch(page, name=f"the page of {study}"))
        return target

    def leaderboard(self, study: str) -> Leaderboard:
        """See Study.leaderboard."""
        link = self._figure_links(study).leaderboard
        if link is None:
            raise NotFoundError(
                f"The study {study} has no leaderboard yet: it has one some seconds after its first trial. Its trials: "
                f"aimass studies trials {study}"
            )
        return Leaderboard.model_validate_json(self._client.http.fetch(link, name=f"the leaderboard of {study}"))

    def delete(self, study: str) -> None:
        """With its trials; the models that came of it stay. Raises ConflictError while a job works on it."""
        self._delete(f"{_PATH}/{study}")

    def _figure_links(self, study: str) -> StudyFigures:
        return self._get(StudyFigures, f"{_PATH}/{study}/figures")
