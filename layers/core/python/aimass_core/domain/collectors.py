"""Collectors: what reads a source and emits records, and how each is configured."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from aimass_core.domain.common import Request
from aimass_core.domain.rest_collectors import RestConfig, Secretive, SecretRef, Url

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Stream = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f#]+$")]
SQL_DIALECTS = ("postgresql", "mysql", "mariadb", "mssql", "oracle", "snowflake", "redshift", "trino")


class PythonCollector(Request):
    """A class or a generator of a package that was published (`aimass collectors publish`)."""

    type: Literal["python"]
    package: Sha256 = Field(description="SHA-256 of a .tar.gz that was sent as POST /v1/jobs/sources said.")
    entry_point: str = Field(max_length=500, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", examples=["my_source:orders"])
    config: dict[str, Any] = Field(default={}, description='A value {"secret": NAME} is that secret.')


class SingerCollector(Request):
    """A program in any language that writes Singer or Airbyte messages to its standard output.

    It is started with `--config <file>`, and with `--state <file>` where there is a state.
    """

    type: Literal["singer"]
    package: Sha256
    command: list[Annotated[str, StringConstraints(min_length=1, max_length=2_000)]] = Field(
        min_length=1, max_length=50, examples=[["node", "tap.js"]]
    )
    config: dict[str, Any] = Field(default={}, description='A value {"secret": NAME} is that secret.')


class RestCollector(Request):
    """A REST API that answers JSON: client, authentication, pagination, resources; secrets as `{secret: name}`."""

    type: Literal["rest"]
    config: RestConfig


class FilesCollector(Request):
    """Files over HTTPS: CSV, JSON Lines, JSON, Parquet, also compressed. One that has not changed is not read again."""

    type: Literal["files"]
    urls: list[Url] = Field(min_length=1, max_length=1_000)
    headers: dict[str, Secretive] = Field(default={}, max_length=50)
    stream: Stream = "files"


class S3Collector(Request):
    """Objects under a prefix of a bucket that the deployment may read. What has not changed is not read again."""

    type: Literal["s3"]
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field(default="", max_length=1_000)
    stream: Stream = "files"


class SqlCollector(Request):
    """Tables or queries of a database, read-only. The policy's cursor is a column of each."""

    type: Literal["sql"]
    url: str = Field(
        max_length=2_000,
        pattern=rf"^({'|'.join(SQL_DIALECTS)})(\+[a-z0-9_]+)?://",
        description="As SQLAlchemy writes it, without a password.",
        examples=["postgresql+psycopg://reader@db.example.com/shop"],
    )
    password: SecretRef | None = None
    tables: list[Annotated[str, StringConstraints(min_length=1, max_length=500)]] = Field(default=[], max_length=200)
    queries: dict[Stream, Annotated[str, StringConstraints(min_length=1, max_length=20_000)]] = Field(
        default={}, max_length=200, description="By stream. `:start` is where its cursor stands."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.tables and not self.queries:
            raise ValueError("name at least one table or query")
        authority = self.url.partition("://")[2].partition("/")[0]
        if ":" in authority.rpartition("@")[0]:
            raise ValueError("the url holds a password: set it as a secret, and name that as password")
        return self


class FeedCollector(Request):
    """RSS or Atom."""

    type: Literal["feed"]
    urls: list[Url] = Field(min_length=1, max_length=100)
    stream: Stream = "entries"


class SftpCollector(Request):
    """Files of an SFTP server whose host key is known. What has not changed is not read again."""

    type: Literal["sftp"]
    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:-]+$")
    port: int = Field(strict=True, default=22, ge=1, le=65_535)
    username: str = Field(min_length=1, max_length=100)
    host_key: str = Field(max_length=2_000, pattern=r"^(ssh|ecdsa)-\S+ \S+", examples=["ssh-ed25519 AAAAC3Nz..."])
    password: SecretRef | None = None
    private_key: SecretRef | None = None
    path: str = Field(max_length=1_000, description="A file, or a folder whose files are read.")
    stream: Stream = "files"


class WebhookCollector(Request):
    """Others send the records: a signed URL takes them."""

    type: Literal["webhook"]


Collector = Annotated[
    PythonCollector
    | SingerCollector
    | RestCollector
    | FilesCollector
    | S3Collector
    | SqlCollector
    | FeedCollector
    | SftpCollector
    | WebhookCollector,
    Field(discriminator="type"),
]
