"""Bytes from the open internet: only allowed hosts, only public addresses, within limits of size and time."""

import asyncio
import hashlib
import ipaddress
import math
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from pipeline.errors import UserError
from pipeline.lora.sources.addresses import is_public

DownloadProgress = Callable[[int, int | None], None]
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_NO_KEY: Final = "{} asks for a login here; add a key of {} for this community, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one download.

    `size` is in bytes; `seconds` is for all of it and `silence` for each wait in between; `redirects` and `attempts`
    are counts.
    """

    size: int = 2 << 30
    seconds: float = 1800
    silence: float = 30
    redirects: int = 5
    attempts: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadSource:
    """One source: its name for people, and the hosts that it may use; `.hf.co` stands for every host below."""

    name: str
    hosts: frozenset[str]
    loopback: bool = False
    """Whether this machine's own addresses, and http to them, are allowed: for tests alone."""

    def check(self, url: URL) -> None:
        """Check that a link may be opened.

        Args:
            url: of the first request or of a redirect.

        Raises:
            UserError: it is not https, has a user or an unusual port, or its host is not allowed.
        """
        host = (url.host or "").lower()
        allowed = any(host == name or (name.startswith(".") and host.endswith(name)) for name in self.hosts)
        if not allowed:
            raise UserError(f"{self.name} led to a host that is not allowed; use the file's own page or upload it.")
        if self.loopback and _is_loopback(host):
            return
        if url.scheme != "https" or url.user is not None or url.port != 443:
            raise UserError(f"{self.name} led to a link that is not plain https; use the file's own page or upload it.")


class _PrivateAddress(OSError):
    """A name leads to an address that is not on the public internet."""


@dataclass(slots=True, kw_only=True)
class _Part:
    """What has arrived of a file so far."""

    path: Path
    progress: DownloadProgress
    limit: int
    size: int = 0
    total: int | None = None
    etag: str | None = None

    def begin(self, answer: aiohttp.ClientResponse) -> None:
        """Go on where the answer does, or begin again if it starts at the first byte.

        Args:
            answer: to a request for the rest.
        """
        span = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if answer.status != 206 or span is None or int(span[1]) != self.size:
            self.size = 0
        self.path.touch()
        with self.path.open("r+b") as file:
            file.truncate(self.size)
        etag = answer.headers.get("ETag", "")
        self.etag = etag if etag and not etag.startswith("W/") else None
        self.total = None if answer.content_length is None else self.size + answer.content_length
        self._bound(self.total or 0)

    async def take(self, answer: aiohttp.ClientResponse) -> None:
        """Append what arrives, until the end.

        Args:
            answer: as in `begin`.
        """
        with self.path.open("ab") as file:
            async for piece in answer.content.iter_chunked(_CHUNK):
                self._bound(self.size + len(piece))
                await asyncio.to_thread(file.write, piece)
                self.size += len(piece)
                self.progress(self.size, self.total)

    def _bound(self, size: int) -> None:
        if size > self.limit:
            raise UserError(f"This file is over the limit of {self.limit / 2**20:,.0f} MiB; choose a smaller one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """Downloads from one source; none of its errors or logs holds a key or a link."""

    place: DownloadSource
    limits: Limits = Limits()

    async def small(self, url: str, *, key: str | None = None, size: int = 4 << 20) -> bytes:
        """A small body, in memory.

        Args:
            url: of the body.
            key: sent as a bearer token to the link's own origin, and to no host that it redirects to.
            size: the most bytes.

        Returns:
            The body.

        Raises:
            UserError: the source cannot be reached, refuses, is too slow, or sends more.
        """
        async with self._in_time(), self._answer(url, key, {}) as answer:
            body = bytearray()
            async for piece in answer.content.iter_chunked(_CHUNK):
                body += piece
                if len(body) > size:
                    raise UserError(f"{self.place.name} answers with more than it should; try again later.")
            return bytes(body)

    async def file(
        self, url: str, target: Path, *, progress: DownloadProgress, key: str | None = None, sha256: str | None = None
    ) -> tuple[int, str]:
        """A file, resumed where a connection breaks off.

        Args:
            url: of the file.
            target: where it goes; it is there whole or not at all.
            progress: called with the bytes so far and their total, if known.
            key: as in `small`.
            sha256: the hash that the source states, in hexadecimal.

        Returns:
            Size in bytes, and SHA-256 in hexadecimal.

        Raises:
            UserError: the source cannot be reached, refuses, is too slow, sends too much or a file with another
                hash.
        """
        part = _Part(path=target.with_name(f"{target.name}.part"), progress=progress, limit=self.limits.size)
        part.path.unlink(missing_ok=True)
        try:
            async with self._in_time():
                await self._whole(url, key, part)
            found = await asyncio.to_thread(_sha256, part.path)
            if sha256 is not None and found != sha256.lower():
                raise UserError(f"The file has not the hash that {self.place.name} states; try again later.")
            part.path.replace(target)
        finally:
            part.path.unlink(missing_ok=True)
        return part.size, found

    async def _whole(self, url: str, key: str | None, part: _Part) -> None:
        for left in reversed(range(self.limits.attempts)):
            headers = {"Range": f"bytes={part.size}-", "If-Range": part.etag} if part.size and part.etag else {}
            try:
                async with self._answer(url, key, headers) as answer:
                    if answer.content_type == "text/html":
                        raise UserError(_NO_KEY.format(self.place.name, self.place.name))
                    part.begin(answer)
                    return await part.take(answer)
            except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not left:
                    raise
        return None

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        name = self.place.name
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield
        except TimeoutError as error:
            raise UserError(f"{name} is too slow just now; try again later.") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _PrivateAddress):
                raise UserError(f"{name} led to a private address, which is never opened.") from None
            raise UserError(f"{name} cannot be reached; try again later.") from None
        except aiohttp.ClientError:
            raise UserError(f"The connection to {name} broke off; try again later.") from None

    @asynccontextmanager
    async def _answer(
        self, url: str, key: str | None, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer after all redirects; the key goes to the first link's own origin alone."""
        there = first = URL(url)
        connector = aiohttp.TCPConnector(socket_factory=self._socket, use_dns_cache=False, force_close=True)
        silence = self.limits.silence
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=silence, sock_read=silence)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            for _ in range(self.limits.redirects + 1):
                self.place.check(there)
                sent = {"Accept-Encoding": "identity", **headers}
                if key is not None and there.origin() == first.origin():
                    sent["Authorization"] = f"Bearer {key}"
                async with session.get(there, headers=sent, allow_redirects=False) as answer:
                    if answer.status not in _REDIRECTS:
                        self._check(answer)
                        yield answer
                        return
                    there = self._next(there, answer)
        raise UserError(f"{self.place.name} redirects too often; try again later.")

    def _next(self, there: URL, answer: aiohttp.ClientResponse) -> URL:
        try:
            return there.join(URL(answer.headers.get("Location", ""), encoded=True))
        except ValueError:
            raise UserError(f"{self.place.name} redirects to nowhere; try again later.") from None

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        refuse_status(self.place.name, answer.status, answer.headers.get("Retry-After"))
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UserError(f"{self.place.name} sent a compressed file, which is not opened; upload the file instead.")

    def _socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """The socket for an address that is about to be connected: the last word on where it leads."""
        family, kind, protocol, _, address = info
        peer = str(address[0])
        if not is_public(peer) and not (self.place.loopback and _is_loopback(peer)):
            raise _PrivateAddress("a private address")
        return socket.socket(family, kind, protocol)


def refuse_status(name: str, status: int, retry_after: str | None) -> None:
    """Check the status of an answer.

    Args:
        name: of the source, for people.
        status: of HTTP.
        retry_after: the header Retry-After, in seconds or as a date.

    Raises:
        UserError: the status is not one of success.
    """
    match status:
        case 200 | 206:
            return
        case 401:
            raise UserError(_NO_KEY.format(name, name))
        case 403:
            raise UserError(f"{name} does not let this community's key read it; ask for access on its page.")
        case 404 | 410:
            raise UserError(f"{name} has no such file; it was deleted, or the link is wrong.")
        case 429:
            raise UserError(f"{name} asks to wait; try again {_wait(retry_after)}.")
        case _:
            raise UserError(f"{name} is out of order just now (status {status}); try again later.")


def _wait(retry_after: str | None) -> str:
    try:
        if (retry_after or "").strip().isdecimal():
            seconds = float(retry_after or 0)
        else:
            seconds = (parsedate_to_datetime(retry_after or "") - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return "in some minutes"
    if seconds < 60:
        return f"in {max(1, math.ceil(seconds))} s"
    return f"in {math.ceil(seconds / 60)} min" if seconds < 86400 else "tomorrow"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
