"""Where everything lies: keys in S3 and in the registry are built here, from ids, and nowhere else."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class RowKey:
    """A registry row's primary key."""

    partition: str
    sort: str


def partition(workspace_id: str) -> str:
    """The registry partition of a workspace."""
    return f"WS#{workspace_id}"


def row(workspace_id: str, resource: str, *ids: str | int) -> RowKey:
    """A resource's row: `DATASET_VERSION#ds_1#00000003`. Numbers are padded so that they sort."""
    return RowKey(partition(workspace_id), row_prefix(resource, *ids).removesuffix("#"))


def row_prefix(resource: str, *ids: str | int) -> str:
    """What the sort keys of a resource (within its parents) begin with."""
    parts = [f"{part:08d}" if isinstance(part, int) else part for part in ids]
    return "#".join([resource.upper(), *parts]) + "#"


def name_row(workspace_id: str, resource: str, name: str) -> RowKey:
    """The row that reserves a name within a workspace and leads to the id."""
    return RowKey(partition(workspace_id), f"NAME#{resource.upper()}#{name}")


PLATFORM = "PLATFORM"
_MINUTE = "%Y-%m-%dT%H:%MZ"


def workspace_name_row(name: str) -> RowKey:
    """Workspace names are unique on the whole platform: the drop folder leads from the name to the id."""
    return RowKey(PLATFORM, f"NAME#WORKSPACE#{name}")


def person_row(subject: str) -> RowKey:
    """Where somebody who can sign in belongs, over all workspaces."""
    return RowKey(f"PERSON#{subject}", "PERSON")


def sign_in_row(sha256: str, minute: datetime) -> RowKey:
    """How often it was tried to sign in with something, within a span of time."""
    return RowKey(f"SIGN_INS#{sha256}", minute.astimezone(UTC).strftime(_MINUTE))


def workspace_deletion_row(workspace_id: str) -> RowKey:
    """Outlives the workspace: how its deletion goes, and in the end the proof."""
    return RowKey(PLATFORM, f"WORKSPACE_DELETION#{workspace_id}")


def status_partition(resource: str, status: str) -> str:
    """Partition of gsi1: every resource of a kind in one status, over all workspaces, by time."""
    return f"{resource.upper()}#{status}"


# --- sources ----------------------------------------------------------------------------------------------------------


def source_health_row(workspace_id: str, source_id: str) -> RowKey:
    """How a source does, and when its schedule starts it next."""
    return row(workspace_id, "source_health", source_id)


def source_lease_row(workspace_id: str, source_id: str) -> RowKey:
    """Which job may write a source's data and state; its revision is the fencing token."""
    return row(workspace_id, "source_lease", source_id)


def source_state_row(workspace_id: str, source_id: str) -> RowKey:
    """Where collecting goes on."""
    return row(workspace_id, "source_state", source_id)


def source_grant_row(workspace_id: str, source_id: str, grantee: str) -> RowKey:
    """A grant, in the workspace of the source."""
    return row(workspace_id, "source_grant", source_id, grantee)


def shared_source_row(workspace_id: str, source_id: str) -> RowKey:
    """A grant as the workspace that was given it finds it: it leads to the workspace of the source."""
    return row(workspace_id, "shared_source", source_id)


def grant_row(workspace_id: str, kind: str, resource_id: str, grantee: str) -> RowKey:
    """A grant of a dataset, model or endpoint, in the workspace that it belongs to."""
    return row(workspace_id, "grant", kind, resource_id, grantee)


def shared_row(workspace_id: str, kind: str, resource_id: str) -> RowKey:
    """A grant of a dataset, model or endpoint, as the workspace that was given it finds it."""
    return row(workspace_id, "shared", kind, resource_id)


def source_dataset_row(workspace_id: str, source_id: str, stream: str) -> RowKey:
    """The dataset that a stream fills."""
    return row(workspace_id, "source_dataset", source_id, stream)


def workspace_secrets(workspace_id: str) -> str:
    """What the names of a workspace's secrets begin with."""
    return f"aimass/{workspace_id}/"


def source_secret(workspace_id: str, source_id: str, name: str) -> str:
    """The name of a source's secret in Secrets Manager."""
    return f"aimass/{workspace_id}/sources/{source_id}/{name}"


AUDIT_SECRET = "aimass/audit-signing"  # noqa: S105 - a name, not a secret
"""What the seals of audit trails are signed with."""


def audit_seal_row(workspace_id: str, number: int) -> RowKey:
    """A seal of the audit trail, from 1."""
    return row(workspace_id, "audit_seal", number)


# --- notifications ----------------------------------------------------------------------------------------------------


def channel_secret(workspace_id: str, channel_id: str, name: str) -> str:
    """The name of a notification channel's secret in Secrets Manager: its address, or one that signs."""
    return f"aimass/{workspace_id}/notification-channels/{channel_id}/{name}"


def told_row(workspace_id: str, told: str) -> RowKey:
    """That something was told once."""
    return row(workspace_id, "told", told)


def job_request_row(workspace_id: str, request: str) -> RowKey:
    """The job that a request has made."""
    return row(workspace_id, "job_request", request)


# --- counters ---------------------------------------------------------------------------------------------------------

COUNTERS_PREFIX = "COUNTERS#"
"""What only the function that serves models adds to."""


def counters_partition(workspace_id: str, endpoint_id: str) -> str:
    """The counts of an endpoint."""
    return f"{COUNTERS_PREFIX}{workspace_id}#{endpoint_id}"


def minute_counter(minute: datetime) -> str:
    """What the sort keys of a minute's counts begin with, and those of the next one are greater than."""
    return f"MINUTE#{minute.astimezone(UTC).strftime(_MINUTE)}#"


def rollout_counter(rollout_id: str) -> str:
    """What the sort keys of a rollout's counts begin with."""
    return f"ROLLOUT#{rollout_id}#"


def key_counter(workspace_id: str, key_id: str, *, seconds: int, start: datetime) -> RowKey:
    """The requests of an API key within a span of time."""
    partition_key = f"{COUNTERS_PREFIX}KEYS#{workspace_id}#{key_id}"
    return RowKey(partition_key, f"{seconds}S#{start.astimezone(UTC).isoformat(timespec='seconds')}")


# --- DynamoDB: studies ------------------------------------------------------------------------------------------------

STUDY_ROW = "STUDY"
"""A study's own row sorts after its trials, so that reading the new trials reads it too."""
STUDY_COUNTER_ROW = "COUNTER"
STUDY_NAMES_PREFIX = "NAME#"


def studies_partition(workspace_id: str) -> str:
    """The names of a workspace's studies, and the counter of their ids."""
    return f"{partition(workspace_id)}#STUDIES"


def study_partition(workspace_id: str, study_id: int) -> str:
    """A study and its trials."""
    return f"{partition(workspace_id)}#STUDY#{study_id}"


def study_name_row(workspace_id: str, name: str) -> RowKey:
    """The row that reserves a study's name and leads to its id."""
    return RowKey(studies_partition(workspace_id), f"{STUDY_NAMES_PREFIX}{name}")


def trial_row(number: int) -> str:
    """Sort key of a trial. Padded, so that it sorts."""
    return f"{number:06d}"


# --- S3: landing -----------------------------------------------------------------------------------------------------

UPLOADS_PREFIX = "uploads/"
DROP_PREFIX = "drop/"


def upload_object(workspace_id: str, dataset_id: str, upload_id: str) -> str:
    """Where an upload's bytes arrive."""
    return f"{UPLOADS_PREFIX}{workspace_id}/{dataset_id}/{upload_id}"


def drop_prefix(workspace_name: str, dataset_name: str) -> str:
    """Where files are dropped. Names, because people type it; nothing else is ever built from them."""
    return f"{DROP_PREFIX}{workspace_name}/{dataset_name}/"


def landing_prefixes(workspace_id: str, workspace_name: str) -> list[str]:
    """Everything of a workspace that arrives."""
    return [f"{UPLOADS_PREFIX}{workspace_id}/", f"{DROP_PREFIX}{workspace_name}/"]


# --- S3: lake --------------------------------------------------------------------------------------------------------


def dataset_prefix(workspace_id: str, dataset_id: str) -> str:
    """Everything of a dataset."""
    return f"datasets/{workspace_id}/{dataset_id}/"


def dataset_file(workspace_id: str, dataset_id: str, sha256: str) -> str:
    """A Parquet file, named by its content: versions share it. Each has a folder of its own, as a partition of a table
    in a Hive catalogue is one."""
    return f"{dataset_file_folder(workspace_id, dataset_id, sha256)}part.parquet"


def dataset_file_folder(workspace_id: str, dataset_id: str, sha256: str) -> str:
    """Where one Parquet file lies alone."""
    return f"datasets/{workspace_id}/{dataset_id}/files/{sha256}/"


def dataset_folder_of(file: str) -> str:
    """The prefix of the dataset that a Parquet file's key is of."""
    return f"{file.partition('/files/')[0]}/"


def dataset_version_object(workspace_id: str, dataset_id: str, number: int, name: str) -> str:
    """manifest.json, schema.json, profile.json or quarantine.jsonl of a version."""
    return f"datasets/{workspace_id}/{dataset_id}/versions/{number:08d}/{name}"


QUERIES_PREFIX = "queries/"


def query_output(execution_id: str) -> str:
    """What Athena writes: its workgroup names the folder, and nobody can name another."""
    return f"{QUERIES_PREFIX}{execution_id}.csv"


def query_export(workspace_id: str, query_id: str, name: str) -> str:
    """The rows of a query in another form."""
    return f"{QUERIES_PREFIX}exports/{workspace_id}/{query_id}/{name}"


def audit_export(workspace_id: str, export_id: str, name: str) -> str:
    """Entries of the audit trail in a file, which goes as the rows of queries do."""
    return f"{QUERIES_PREFIX}exports/{workspace_id}/{export_id}/{name}"


PREDICTIONS_PREFIX = "predictions/"


def prediction_input(workspace_id: str, sha256: str) -> str:
    """The body of a request that came apart from it, named by its content."""
    return f"{PREDICTIONS_PREFIX}{workspace_id}/inputs/{sha256}"


def prediction_object(workspace_id: str, prediction_id: str, name: str) -> str:
    """A part of a deferred prediction, or an answer that was too large."""
    return f"{PREDICTIONS_PREFIX}{workspace_id}/{prediction_id}/{name}"


def job_source(workspace_id: str, sha256: str) -> str:
    """A packed source of scripts, named by its content: jobs share it."""
    return f"sources/{workspace_id}/{sha256}.tar.gz"


def archives_prefix(workspace_id: str) -> str:
    """Zips of workspaces, which expire: no artifacts of their jobs, since whoever may read those may not read these."""
    return f"sources/{workspace_id}/archives/"


def workspace_archive(workspace_id: str, sha256: str) -> str:
    """A zip that is to be imported, named by its content."""
    return f"{archives_prefix(workspace_id)}{sha256}.zip"


def workspace_export(workspace_id: str, job_id: str) -> str:
    """The zip that an export has made."""
    return f"{archives_prefix(workspace_id)}{job_id}.zip"


def job_prefix(workspace_id: str, job_id: str) -> str:
    """Everything of a job."""
    return f"jobs/{workspace_id}/{job_id}/"


def job_config(workspace_id: str, job_id: str, name: str) -> str:
    """hyperparameters.json, inputdataconfig.json or resourceconfig.json of a job."""
    return f"{job_prefix(workspace_id, job_id)}config/{name}"


def job_attempt(workspace_id: str, job_id: str, attempt: int, name: str) -> str:
    """A file of one attempt: model/model.onnx, output/test_predictions.parquet, result.json, failure.json."""
    return f"{job_prefix(workspace_id, job_id)}attempts/{attempt:04d}/{name}"


def job_checkpoints(workspace_id: str, job_id: str) -> str:
    """Resumable training state, shared by the attempts of a job."""
    return f"{job_prefix(workspace_id, job_id)}checkpoints/"


def job_prediction(workspace_id: str, job_id: str, part: str = "") -> str:
    """The answers to a part of the rows of a batch prediction, which its workers leave for the first of them."""
    return f"{job_prefix(workspace_id, job_id)}predictions/{part}"


def job_spark_run(workspace_id: str, job_id: str, number: int) -> str:
    """What a run of Spark for a job is given and leaves; the job takes it from there."""
    return f"{job_prefix(workspace_id, job_id)}spark/{number:04d}/"


def job_tensorboard(workspace_id: str, job_id: str) -> str:
    """TensorBoard's event files, `<attempt>/<phase>/events...`, copied while the job runs."""
    return f"{job_prefix(workspace_id, job_id)}tensorboard/"


def study_prefix(workspace_id: str, study_id: str) -> str:
    """Everything that a study leaves in the lake."""
    return f"studies/{workspace_id}/{study_id}/"


def study_best(workspace_id: str, study_id: str) -> str:
    """Which trial is the best so far, and its artifacts."""
    return f"{study_prefix(workspace_id, study_id)}best.json"


def study_live(workspace_id: str, study_id: str, name: str = "") -> str:
    """What is to be seen of a study while its job runs, written anew again and again: leaderboard.json, study.html,
    figures/<name>.json."""
    return f"{study_prefix(workspace_id, study_id)}live/{name}"


def study_trial(workspace_id: str, study_id: str, number: int, name: str) -> str:
    """A file of one trial: model/model.onnx, output/validation_predictions.parquet. Written once."""
    return f"{study_prefix(workspace_id, study_id)}trials/{trial_row(number)}/{name}"


def model_object(workspace_id: str, model_id: str, number: int, name: str) -> str:
    """An artifact of a model version."""
    return f"models/{workspace_id}/{model_id}/{number:08d}/{name}"


CAPTURES_PREFIX = "captures/"


def captures_prefix(workspace_id: str, endpoint_id: str, date: str | None = None) -> str:
    """Requests that were captured at an endpoint: all, or of one day (2026-11-23)."""
    day = "" if date is None else f"date={date}/"
    return f"{CAPTURES_PREFIX}{workspace_id}/{endpoint_id}/{day}"


def capture_object(workspace_id: str, endpoint_id: str, date: str, name: str) -> str:
    """Captured rows, gzipped JSON Lines. `name` begins with the time of the day, so that a day's files sort."""
    return f"{captures_prefix(workspace_id, endpoint_id, date)}{name}.jsonl.gz"


def lake_prefixes(workspace_id: str) -> list[str]:
    """Everything of a workspace in the lake, but the rows of its queries, which lie under the names of Athena."""
    own = ("datasets", "sources", "jobs", "studies", "models")
    return [
        *(f"{folder}/{workspace_id}/" for folder in own),
        f"{CAPTURES_PREFIX}{workspace_id}/",
        f"{PREDICTIONS_PREFIX}{workspace_id}/",
        f"{QUERIES_PREFIX}exports/{workspace_id}/",
    ]
