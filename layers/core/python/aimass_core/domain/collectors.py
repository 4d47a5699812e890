"""Collectors: what reads a source and emits records, and how each is configured."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aimass_core.domain.common import Request

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Url = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://")]


class PythonCollector(Request):
    """A class or a generator of a package that was published (`aimass collectors publish`)."""

    type: Literal["python"]
    package: Sha256 = Field(description="SHA-256 of a .tar.gz that was sent as POST /v1/jobs/sources said.")
    entry_point: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", examples=["my_source:orders"])
    config: dict[str, Any] = {}


class SingerCollector(Request):
    """A program in any language that writes Singer or Airbyte messages to its standard output."""

    type: Literal["singer"]
    package: Sha256
    command: list[str] = Field(min_length=1, max_length=50, examples=[["node", "tap.js"]])
    config: dict[str, Any] = {}


class RestCollector(Request):
    """A REST API that answers JSON: client, authentication, pagination, resources; secrets as `{secret: name}`."""

    type: Literal["rest"]
    config: dict[str, Any]


class FilesCollector(Request):
    """Files over HTTPS: CSV, JSON Lines, JSON, Parquet."""

    type: Literal["files"]
    urls: list[Url] = Field(min_length=1, max_length=1_000)


class S3Collector(Request):
    """Objects under a prefix of a bucket that the deployment may read."""

    type: Literal["s3"]
    bucket: str = Field(min_length=3, max_length=63)
    prefix: str = Field(default="", max_length=1_000)


class SqlCollector(Request):
    """Tables or queries of a database, read-only."""

    type: Literal["sql"]
    url: str = Field(max_length=2_000, description="As SQLAlchemy writes it, without a password.")
    tables: list[str] = Field(default=[], max_length=200)
    queries: dict[str, str] = Field(default={}, max_length=200)


class FeedCollector(Request):
    """RSS or Atom."""

    type: Literal["feed"]
    urls: list[Url] = Field(min_length=1, max_length=100)


class SftpCollector(Request):
    """Files of an SFTP server whose host key is known."""

    type: Literal["sftp"]
    host: str = Field(max_length=253)
    port: int = Field(default=22, ge=1, le=65_535)
    username: str = Field(max_length=100)
    host_key: str = Field(max_length=2_000)
    path: str = Field(max_length=1_000)


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
