"""What differs between environments. The same stacks, with these values, serve all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import aws_logs as logs


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """One deployment target. Account and region are those of the credentials that deploy it.

    Attributes:
        log_retention: how long logs of functions, jobs and the API are kept.
        api_requests_per_second: steady rate for the whole API; above it callers get 429.
        api_burst: requests that may come at once.
        console_origins: exact origins of the console, such as that of a domain of your own: its pages send files to the
            buckets and read from them. Empty: addresses of API Gateway in this region.
        batch_max_vcpus: upper bound of the machines of each kind that jobs may start: with and without GPU, spot and on
            demand, and several for one job. Nothing runs while no job does.
        batch_on_spot: spot instances come first, which cost about a third; a job whose host is taken away is retried,
            and jobs on several machines have none of them.
        batch_gpu_types: families or types of machines with GPUs.
        batch_nodes_placed: machines of one job stand side by side (a cluster placement group).
        batch_efa_types: types with an Elastic Fabric Adapter, for jobs on several machines with GPUs, such as
            p5.48xlarge; none: they have plain interfaces. NOTE: one interface with EFA gets no public address where
            there are several network cards: together with `batch_private`.
        batch_private: machines of jobs have no public address: they reach AWS through interface endpoints, and all
            else through one NAT gateway. Costs about $150 a month, also while nothing runs.
        query_max_gib: what one SQL query may read.
        own_key: tables, buckets and secrets are encrypted with a key of the account's own, which costs $1 a month; else
            with keys that AWS keeps. What lies there already stays as it is.
        spark_max_vcpus: of Spark on EMR Serverless; 0: there is none.
        spark_image: which image of ours Spark runs, as `image`; with one, recipes on more than `spark_above_gib` of
            Parquet are Spark's. NOTE: the service looks for the image when it is named, so that it has to be there.
        spark_above_gib: see `spark_image`.
        monthly_budget_usd: of the account; it is written to `budget_mail` when four fifths are spent, and when more
            than all of it is expected to be. Without an address there is none.
        ingest_max_concurrency: conversions at the same time; the rest waits in the queue.
        collect_allowed_hosts: hosts that collectors may reach although their address is not public.
        collect_buckets: buckets that collectors may read.
        live_settings: what holds where a workspace says nothing, by subsystem and field
            (aimass_core.domain.settings): `{"quotas": {"max_jobs_active": 200}}`. Of quotas, also the most that a
            workspace may say.
        notification_hosts: hosts to which notifications may be sent although their address is not public.
        mail_sender: the address, verified in SES, that notifications by e-mail come from; none: there are no such.
        image: which image of the job container runs: a tag, or `sha256:...`, the digest that the registry shows.
        predictions_memory_mib: of the function that serves models; a processor comes with each 1,769 MiB. `make bench`
            measures what a number of loaded models takes.
        predictions_cache_mib: what the files of the models that one process keeps loaded may have together.
        predictions_provisioned: processes of it that are always there, and cost also while nobody asks; for endpoints
            that may not wait for a cold start. 0: it scales to zero.
    """

    name: str
    log_retention: logs.RetentionDays
    api_requests_per_second: int
    api_burst: int
    console_origins: tuple[str, ...] = ()
    batch_max_vcpus: int
    batch_on_spot: bool
    batch_gpu_types: tuple[str, ...] = ("g4dn", "g5", "g6")
    batch_nodes_placed: bool = True
    batch_efa_types: tuple[str, ...] = ()
    batch_private: bool = False
    ingest_max_concurrency: int
    collect_allowed_hosts: tuple[str, ...] = ()
    collect_buckets: tuple[str, ...] = ()
    notification_hosts: tuple[str, ...] = ()
    mail_sender: str = ""
    query_max_gib: int = 100
    own_key: bool = False
    spark_max_vcpus: int = 0
    spark_image: str = ""
    spark_above_gib: int = 50
    monthly_budget_usd: int = 100
    budget_mail: str = ""
    live_settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    image: str = "0.1.0"
    predictions_memory_mib: int = 2_048
    predictions_cache_mib: int = 256
    predictions_provisioned: int = 0


LOCAL = EnvironmentSettings(
    name="local",
    log_retention=logs.RetentionDays.ONE_WEEK,
    api_requests_per_second=10_000,
    api_burst=5_000,
    batch_max_vcpus=256,
    batch_on_spot=False,
    # NOTE: the emulator knows no placement groups.
    batch_nodes_placed=False,
    ingest_max_concurrency=4,
    collect_allowed_hosts=("127.0.0.1", "localhost"),
    notification_hosts=("127.0.0.1", "localhost"),
    mail_sender="aimass@localhost.localdomain",
)
DEV = EnvironmentSettings(
    name="dev",
    log_retention=logs.RetentionDays.ONE_WEEK,
    api_requests_per_second=50,
    api_burst=100,
    batch_max_vcpus=64,
    batch_on_spot=True,
    ingest_max_concurrency=4,
)
PROD = EnvironmentSettings(
    name="prod",
    log_retention=logs.RetentionDays.SIX_MONTHS,
    api_requests_per_second=500,
    api_burst=1_000,
    batch_max_vcpus=256,
    batch_on_spot=False,
    ingest_max_concurrency=20,
    own_key=True,
    spark_max_vcpus=64,
    monthly_budget_usd=1_000,
)

ENVIRONMENTS: Mapping[str, EnvironmentSettings] = {settings.name: settings for settings in (LOCAL, DEV, PROD)}


def resolve_environment(name: str) -> EnvironmentSettings:
    """Raises ValueError that names the environments there are."""
    try:
        return ENVIRONMENTS[name]
    except KeyError:
        raise ValueError(
            f"unknown environment {name!r}: use one of {', '.join(ENVIRONMENTS)}, as in `cdk deploy -c environment=dev`"
        ) from None
