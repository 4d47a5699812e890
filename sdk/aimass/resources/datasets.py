"""Datasets: upload, versions, previews."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from aimass.binding import Api, Bound, Pages, to_request
from aimass.errors import RejectedDataError, WaitTimeoutError
from aimass.resources.queries import Query
from aimass.uploading import OnBytes, pack_folder, send_file
from aimass_core.domain import datasets as contract
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import DatasetCreate, DatasetPolicy, DatasetUpdate, WriteMode
from aimass_core.domain.recipes import Preview, PreviewCreate
from aimass_core.domain.sources import DatasetLineage
from aimass_core.errors import NotFoundError

if TYPE_CHECKING:
    from aimass.resources.job_requests import RecipeLike
    from aimass.resources.jobs import Job

_PATH = "/v1/datasets"
_POLL_SECONDS = (0.2, 2.0)


@runtime_checkable
class Frame(Protocol):
    """A table that can write itself as Parquet: pandas, polars (through to_pandas) and others."""

    def to_parquet(self, path: Any, /) -> Any:
        """Writes the table to the path."""


class DatasetVersion(contract.DatasetVersionDetail, Bound):
    """An immutable snapshot of a dataset."""

    @property
    def ref(self) -> str:
        """`name@number`, as jobs take it."""
        return f"{self.dataset_name}@{self.number}"

    def refresh(self) -> DatasetVersion:
        """As it is now."""
        return self._client.datasets.get_version(self.dataset_id, self.number)

    def wait(
        self, *, timeout_seconds: float | None = None, on_update: Callable[[DatasetVersion], None] | None = None
    ) -> DatasetVersion:
        """Until it is READY.

        Raises:
            RejectedDataError: The files were refused; the message says why.
            WaitTimeoutError: The time is over; the work goes on.
        """
        version, pause = self, _POLL_SECONDS[0]
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not version.status.is_terminal:
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimeoutError(f"Version {self.ref} is still {version.status} after {timeout_seconds:g} s.")
            time.sleep(pause)
            pause = min(pause * 1.3, _POLL_SECONDS[1])
            version = version.refresh()
            if on_update:
                on_update(version)
        if version.status is contract.DatasetVersionStatus.REJECTED:
            raise RejectedDataError(version)
        # An answer that only names the version has neither schema nor profile.
        return version if version.profile is not None else version.refresh()

    def rows(self, *, limit: int = 10) -> list[dict[str, Any]]:
        """The first rows."""
        path = f"{_PATH}/{self.dataset_id}/versions/{self.number}/rows"
        rows: list[dict[str, Any]] = self._client.http.request("GET", path, params={"limit": limit})["rows"]
        return rows

    def download(self, path: str | Path | None = None) -> Path:
        """Saves all rows as a Parquet file, or where there are several as a zip of them, which `upload` takes as well.

        Default: `<name>-<number>.parquet` or `.zip`, here.
        """
        answer = self._client.http.request("GET", f"{_PATH}/{self.dataset_id}/versions/{self.number}/files")
        files = contract.DatasetFiles.model_validate(answer).files
        suffix = ".parquet" if len(files) == 1 else ".zip"
        target = Path(path or f"{self.dataset_name}-{self.number}{suffix}")
        with TemporaryDirectory(prefix=".aimass-", dir=target.resolve().parent) as folder:
            parts = []
            for position, file in enumerate(files, start=1):
                parts.append(Path(folder) / f"{self.dataset_name}-{position:04d}.parquet")
                self._client.http.download(file.url, parts[-1], sha256=file.sha256, name=f"the rows of {self.ref}")
            _join(parts, target)
        return target


class Dataset(contract.Dataset, Bound):
    """A named sequence of versions."""

    def versions(self) -> Pages[DatasetVersion]:
        """Newest first."""
        return self._client.datasets.versions(self.id)

    def upload(self, source: str | Path | Frame, **options: Any) -> DatasetVersion:
        """See DatasetsApi.upload."""
        return self._client.datasets.upload(source, name=self.name, **options)

    def query(self, sql: str, **limits: Any) -> Query:
        """Asks this dataset alone, which the SELECT calls by its name or `data`. See QueriesApi.create."""
        return self._client.queries.create(sql, dataset=self.name, **limits)


class DatasetsApi(Api):
    """`client.datasets`."""

    def create(
        self, name: str, *, description: str = "", target: str | None = None, policy: DatasetPolicy | None = None
    ) -> Dataset:
        """A new dataset without data. Raises AlreadyExistsError."""
        fields: dict[str, Any] = {"name": name, "description": description}
        if target is not None:
            fields["target"] = target
        if policy is not None:
            fields["policy"] = policy
        return self._post(Dataset, _PATH, to_request(DatasetCreate, **fields))

    def list(self) -> Pages[Dataset]:
        """All of the workspace, newest first."""
        return self._list(Dataset, _PATH)

    def get(self, dataset: str) -> Dataset:
        """By name or id."""
        return self._get(Dataset, f"{_PATH}/{dataset}")

    def update(self, dataset: Dataset, **changes: Any) -> Dataset:
        """Changes description, target or policy. Raises StaleRevisionError where somebody else was faster."""
        return self._patch(
            Dataset, f"{_PATH}/{dataset.id}", to_request(DatasetUpdate, **changes), revision=dataset.revision
        )

    def delete(self, dataset: str) -> None:
        """With all its versions."""
        self._delete(f"{_PATH}/{dataset}")

    def delete_version(self, dataset: str, number: int) -> DatasetVersion:
        """Frees its bytes, within minutes: then `freed_bytes` of the version says how many. Not of the latest."""
        return self._read(DatasetVersion, self._client.http.request("DELETE", f"{_PATH}/{dataset}/versions/{number}"))

    def lineage(self, dataset: str) -> DatasetLineage:
        """Its source, and the models that were made of it."""
        return self._get(DatasetLineage, f"{_PATH}/{dataset}/lineage")

    def versions(self, dataset: str) -> Pages[DatasetVersion]:
        """Of one dataset, newest first."""
        return self._list(DatasetVersion, f"{_PATH}/{dataset}/versions")

    def get_version(self, dataset: str, number: int) -> DatasetVersion:
        """One version with its schema and profile."""
        return self._get(DatasetVersion, f"{_PATH}/{dataset}/versions/{number}")

    def query(self, sql: str, **options: Any) -> Query:
        """Asks datasets in SQL: `client.datasets.query("select ...").to_pandas()`. See QueriesApi.create."""
        return self._client.queries.create(sql, **options)

    def upload(
        self,
        source: str | Path | Frame,
        *,
        name: str | None = None,
        target: str | None = None,
        append: bool = False,
        policy: DatasetPolicy | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_bytes: OnBytes | None = None,
    ) -> DatasetVersion:
        """Uploads a file, a folder of images (one sub-folder per class) or a data frame as a new version.

        The dataset is made if there is none of that name. An upload that was interrupted goes on where it stopped
        when it is repeated.

        Args:
            source: CSV, TSV, JSON Lines, Parquet (also gzip, zip), zip or tar of images in class folders, .npz, .ts;
                a folder; or a data frame with `to_parquet`.
            name: Default: the file's name without its endings.
            target: The column to be predicted.
            append: Add the rows to the latest version's, instead of replacing them.
            policy: How bad rows, headers and missing values are treated.
            wait: Until the version is READY.
            timeout_seconds: For the wait; default: no limit.
            on_bytes: Called with (sent, total) while bytes are sent.

        Raises:
            RejectedDataError: The files did not become a version; the message says what, where and what to do.
        """
        with _as_file(source, name) as path:
            chosen = name or dataset_name(path)
            dataset = self._ensure(chosen, target=target, policy=policy)
            version = send_file(
                self._client,
                dataset.id,
                path,
                mode=WriteMode.APPEND if append else WriteMode.REPLACE,
                on_bytes=on_bytes,
            )
        return version.wait(timeout_seconds=timeout_seconds) if wait else version

    def preview(
        self, dataset: str | Dataset | DatasetVersion, recipe: RecipeLike, *, num_sampled: int = 1_000, limit: int = 20
    ) -> Preview:
        """What a recipe does to a sample of a version; nothing is stored.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            recipe: As in `prepare`.
            num_sampled: So many rows, spread evenly over the version.
            limit: So many of the resulting rows come back.
        """
        from aimass.resources.job_requests import to_recipe, to_ref

        name, number = split_ref(to_ref(dataset))
        fields = {"recipe": to_recipe(recipe), "num_sampled": num_sampled, "limit": limit}
        if number is not None:
            fields["number"] = number
        return self._post(Preview, f"{_PATH}/{name}/preview", to_request(PreviewCreate, **fields))

    def prepare(self, dataset: str | Dataset | DatasetVersion, recipe: RecipeLike, **options: Any) -> Job:
        """Starts a job that makes a dataset version of another one by a recipe; see JobsApi.prepare."""
        return self._client.jobs.prepare(dataset, recipe, **options)

    def _ensure(self, name: str, *, target: str | None, policy: DatasetPolicy | None) -> Dataset:
        try:
            dataset = self.get(name)
        except NotFoundError:
            return self.create(name, target=target, policy=policy)
        changes: dict[str, Any] = {}
        if target is not None and target != dataset.target:
            changes["target"] = target
        if policy is not None and policy != dataset.policy:
            changes["policy"] = policy
        return self.update(dataset, **changes) if changes else dataset


def _join(parts: Sequence[Path], target: Path) -> None:
    """NOTE: a zip is not a place to compress what is compressed."""
    if len(parts) == 1:
        parts[0].replace(target)
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for part in parts:
            archive.write(part, part.name)


def dataset_name(path: Path) -> str:
    """A dataset's name from a file's: `Telco Churn.csv.gz` -> `telco-churn`."""
    stem = path.name.split(".")[0].lower()
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in stem).split())[:63] or "dataset"


@contextmanager
def _as_file(source: str | Path | Frame, name: str | None) -> Iterator[Path]:
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            with pack_folder(path) as packed:
                yield packed
            return
        if not path.is_file():
            raise NotFoundError(f"There is no file {str(path)!r}.")
        yield path
        return
    with TemporaryDirectory(prefix="aimass-") as folder:
        path = Path(folder) / f"{name or 'dataset'}.parquet"
        source.to_parquet(path)
        yield path
