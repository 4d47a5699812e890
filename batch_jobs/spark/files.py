"""Small files where Spark's own lie, by Hadoop's file systems: on EMR `s3://` is one of them."""

from collections.abc import Iterable
from typing import Any

from pyspark.sql import SparkSession

_CHUNK_BYTES = 4 * 1024**2


def read_text(session: SparkSession, address: str) -> str:
    """The whole file."""
    return str(session.read.text(address, wholetext=True).first()[0])


def write_text(session: SparkSession, address: str, pieces: Iterable[str]) -> None:
    """The pieces as one file, which takes the place of a former one."""
    path = _path(session, address)
    stream = _file_system(session, path).create(path, True)
    try:
        waiting = bytearray()
        for piece in pieces:
            waiting += piece.encode()
            if len(waiting) > _CHUNK_BYTES:
                stream.write(waiting)
                waiting = bytearray()
        stream.write(waiting)
    finally:
        stream.close()


def delete(session: SparkSession, address: str) -> None:
    """A file, or a folder with all in it. Idempotent."""
    path = _path(session, address)
    _file_system(session, path).delete(path, True)


def _path(session: SparkSession, address: str) -> Any:
    return session.sparkContext._jvm.org.apache.hadoop.fs.Path(address)


def _file_system(session: SparkSession, path: Any) -> Any:
    return path.getFileSystem(session.sparkContext._jsc.hadoopConfiguration())
