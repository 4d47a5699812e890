"""Reads files of an SFTP server."""

import asyncio
import posixpath
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh

from aimass_core.domain.collectors import SftpCollector
from aimass_core.errors import InvalidRequestError
from batch_jobs.collect.errors import AuthFailedError, SourceUnavailableError
from batch_jobs.collect.readers.files import Found, read_found
from batch_jobs.collect.reading import Item, Reading

_CONNECT_SECONDS = 30.0


def read(collector: SftpCollector, reading: Reading) -> Iterator[Item]:
    """Files of a server whose host key is the one that the collector names."""
    with asyncio.Runner() as runner:
        server = _Sftp(collector, reading, runner)
        try:
            found = [
                Found(name=path, change=change, fetch=server.fetcher(path, change))
                for path, change in server.list_files()
            ]
            yield from read_found(reading, collector.stream, found)
        finally:
            server.close()


class _Sftp:
    """A connection that is made when it is first needed."""

    def __init__(self, collector: SftpCollector, reading: Reading, runner: asyncio.Runner) -> None:
        self._collector, self._reading, self._runner = collector, reading, runner
        self._connection: Any = None
        self._client: Any = None

    def list_files(self) -> list[tuple[str, str]]:
        """Paths of files, and what changes with them."""
        found: list[tuple[str, str]] = self._do(self._list)
        return found

    def fetcher(self, path: str, change: str) -> Callable[[Path], str]:
        """Brings one file to the disk."""

        def fetch(local: Path) -> str:
            async def get() -> None:
                await self._client.get(path, str(local))

            self._do(get)
            return change

        return fetch

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()

    async def _list(self) -> list[tuple[str, str]]:
        root = self._collector.path
        attributes = await self._client.stat(root)
        if not stat.S_ISDIR(attributes.permissions or 0):
            return [(root, f"{attributes.mtime}-{attributes.size}")]
        entries = await self._client.readdir(root)
        found = []
        for entry in sorted(entries, key=lambda entry: str(entry.filename)):
            if stat.S_ISREG(entry.attrs.permissions or 0) and not str(entry.filename).startswith("."):
                path = posixpath.join(root, str(entry.filename))
                found.append((path, f"{entry.attrs.mtime}-{entry.attrs.size}"))
        return found

    def _do(self, action: Callable[[], Any]) -> Any:
        async def act() -> Any:
            if self._client is None:
                await self._connect()
            return await action()

        try:
            return self._runner.run(act())
        except asyncssh.PermissionDenied as error:
            raise AuthFailedError(
                f"The SFTP server {self._collector.host!r} refuses {self._collector.username!r}. "
                f"{_how_to_sign_in(self._collector)}"
            ) from error
        except asyncssh.SFTPNoSuchFile as error:
            raise InvalidRequestError(
                f"The SFTP server {self._collector.host!r} has no {self._collector.path!r}. "
                "Correct the collector's path."
            ) from error
        except asyncssh.HostKeyNotVerifiable as error:
            raise InvalidRequestError(
                f"The SFTP server {self._collector.host!r} has another host key than the collector's. If it was "
                "changed on purpose, put the new one into the collector; else somebody is in between."
            ) from error
        except (OSError, asyncssh.Error) as error:
            raise SourceUnavailableError(
                f"The SFTP server {self._collector.host!r} does not answer as it should ({type(error).__name__}: "
                f"{str(error)[:200]})."
            ) from error

    async def _connect(self) -> None:
        collector, reading = self._collector, self._reading
        address = reading.network.connect(collector.host, collector.port)
        known = asyncssh.import_known_hosts(f"{_host_pattern(address, collector.port)} {collector.host_key}\n")
        private_key = None if collector.private_key is None else reading.text(collector.private_key)
        self._connection = await asyncssh.connect(
            address,
            collector.port,
            username=collector.username,
            password=None if collector.password is None else reading.text(collector.password),
            client_keys=[] if private_key is None else [asyncssh.import_private_key(private_key)],
            known_hosts=known,
            agent_path=None,
            config=None,
            connect_timeout=_CONNECT_SECONDS,
        )
        self._client = await self._connection.start_sftp_client()


def _host_pattern(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


def _how_to_sign_in(collector: SftpCollector) -> str:
    named = collector.password or collector.private_key
    if named is None:
        return "Name the secret of its `password` or `private_key` in the collector."
    return f"Set the secret anew: aimass sources secrets set <source> {named.secret}"
