"""Lists of training jobs and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from botocore.utils import parse_timestamp

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError
from aimass_local.sagemaker.jobs import TrainingJob, to_summary

_DEFAULT_RESULTS = 10
_MAX_RESULTS = 100
_ORDERS = {
    "CreationTime": lambda job: (job.created_at, job.name),
    "Name": lambda job: job.name,
    "Status": lambda job: (job.status.value, job.created_at),
}


def list_training_jobs(jobs: Iterable[TrainingJob], parameters: Document) -> Document:
    """The answer of ListTrainingJobs. Its token is the name of the last job shown."""
    order = _ORDERS[parameters.get("SortBy", "CreationTime")]
    is_descending = parameters.get("SortOrder", "Descending") == "Descending"
    found = sorted((job for job in jobs if _is_wanted(job, parameters)), key=order, reverse=is_descending)
    names = [job.name for job in found]
    token = parameters.get("NextToken")
    if token is not None and token not in names:
        raise ValidationError("Invalid NextToken")
    first = 0 if token is None else names.index(token) + 1
    size = min(parameters.get("MaxResults", _DEFAULT_RESULTS), _MAX_RESULTS)
    page = found[first : first + size]
    answer: dict[str, Any] = {"TrainingJobSummaries": [to_summary(job) for job in page]}
    return answer | ({"NextToken": page[-1].name} if first + size < len(found) else {})


def to_tag_list(tags: Mapping[str, str]) -> Document:
    """The answer of ListTags and AddTags."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _is_wanted(job: TrainingJob, parameters: Document) -> bool:
    times = {"CreationTime": job.created_at, "LastModifiedTime": job.changed_at}
    after = (time > to_seconds(parameters.get(f"{name}After", 0)) for name, time in times.items())
    before = (time < to_seconds(parameters.get(f"{name}Before", 1e11)) for name, time in times.items())
    return (
        parameters.get("NameContains", "") in job.name
        and parameters.get("StatusEquals", job.status) == job.status
        and all(after)
        and all(before)
    )


def to_seconds(value: float | str) -> float:
    """Seconds since 1970 of a timestamp, as clients send them."""
    parsed: datetime = parse_timestamp(value)
    return parsed.timestamp()
