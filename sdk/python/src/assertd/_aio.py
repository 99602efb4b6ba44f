# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import time
from types import TracebackType
from typing import Any, Awaitable, Callable, Mapping, Sequence

from ._errors import Problem
from ._retry import Deadline, Lost, check_path, delay, mismatch, too_long, unavailable, wrong_socket
from ._wire import (
    MAX_RESPONSE,
    Assertion,
    AssertionRequest,
    Grants,
    Key,
    Ready,
    Response,
    Signature,
    batch_body,
    parse_batch,
    sign_body,
)
from ._pool import IDLE_LIMIT, MAX_IDLE

_MAX_HEAD = 64 << 10


class AsyncClient:
    """Client for asyncio, with the same methods and rules. Use each within one
    event loop. A call that is cancelled closes its connection, and the daemon
    gives up the request."""

    def __init__(self, path: str | None = None, *, timeout: float | None = 10.0):
        self.path = check_path(path)
        self._timeout = timeout
        self._idle: list[_Connection] = []  # most recently used last

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    async def assertion(
        self,
        grant: str | None = None,
        *,
        audience: str | None = None,
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
    ) -> Assertion:
        """Return a fresh assertion; see Client.assertion."""
        request = AssertionRequest(grant, audience, claims, lifetime)
        return Assertion.parse(await self._call("POST", "/v1/assertions", request.body()))

    async def batch(self, requests: Sequence[AssertionRequest]) -> list[Assertion | Problem]:
        """Return a result for each of at most 64 requests; see Client.batch."""
        return parse_batch(await self._call("POST", "/v1/assertions/batch", batch_body(requests)), len(requests))

    def callback(self, grant: str | None = None, **request: Any) -> Callable[..., Awaitable[str]]:
        """Return a coroutine function that returns a fresh assertion as a string.
        It ignores its arguments."""

        async def fresh(*_: Any, **__: Any) -> str:
            return (await self.assertion(grant, **request)).assertion

        return fresh

    async def sign(self, key: str, hash: str, digest: bytes, *, padding: str | None = None) -> Signature:
        """Return a raw signature over a digest; see Client.sign."""
        return Signature.parse(await self._call("POST", "/v1/sign", sign_body(key, hash, digest, padding)))

    async def grants(self) -> Grants:
        """Return this process's grants and what remains of each rate budget."""
        return Grants.parse(await self._call("GET", "/v1/grants"))

    async def keys(self) -> tuple[Key, ...]:
        """Return the raw key sets that this process may use."""
        return tuple(Key.parse(key) for key in (await self._call("GET", "/v1/keys"))["keys"])

    async def jwks(self) -> dict[str, Any]:
        """Return the public JWK set (RFC 7517 section 5)."""
        document: dict[str, Any] = await self._call("GET", "/v1/jwks")
        return document

    async def version(self) -> str:
        """Return the daemon's version if it is running, able to sign or not."""
        return str((await self._call("GET", "/v1/health"))["version"])

    async def ready(self) -> Ready:
        """Return whether the daemon can sign now. A daemon that can't is no error."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._exchange("GET", "/v1/ready", None)
        except Lost as error:
            raise unavailable(self.path, error) from error.cause
        return response.ready(self.path)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        text = None if body is None else json.dumps(body).encode("utf-8")
        try:
            async with asyncio.timeout(self._timeout):
                return await self._retried(method, path, text, Deadline(self._timeout))
        except Lost as error:
            raise unavailable(self.path, error) from error.cause
        except Problem as problem:
            if problem.code != "not-found":
                raise
            if path == "/v1/health":
                raise wrong_socket(self.path) from problem
            raise mismatch(await self.version(), f"{method} {path}") from problem

    async def _retried(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Any:
        try:
            return (await self._exchange(method, path, body)).document(self.path)
        except (Problem, Lost) as error:
            wait = delay(error, idempotent=method == "GET")
            if wait is None or not deadline.allows(wait):
                raise
        await asyncio.sleep(wait)
        return (await self._exchange(method, path, body)).document(self.path)

    async def _exchange(self, method: str, path: str, body: bytes | None) -> Response:
        connection = await self._take()
        try:
            response = await connection.exchange(method, path, body)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    async def _take(self) -> _Connection:
        if self._idle:
            connection = self._idle.pop()
            if connection.alive():
                return connection
            connection.close()
            self.close()  # the daemon has restarted
        try:
            reader, writer = await asyncio.open_unix_connection(self.path, limit=_MAX_HEAD)
        except OSError as error:
            raise Lost(error, sent=False) from error
        return _Connection(self.path, reader, writer)


class _Connection:
    """HTTP/1.1 over a Unix socket. It carries one request at a time."""

    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._path, self._reader, self._writer = path, reader, writer
        self._idle_since = 0.0
        self.reusable = False

    def close(self) -> None:
        self._writer.close()

    def alive(self) -> bool:
        """Return whether the daemon has kept an idle connection open. The event
        loop reads its end as it comes."""
        fresh = time.monotonic() - self._idle_since <= IDLE_LIMIT
        return fresh and not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, method: str, path: str, body: bytes | None) -> Response:
        self.reusable = False
        head = f"{method} {path} HTTP/1.1\r\nHost: assertd\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            self._writer.write(head.encode("ascii") + b"\r\n" + (body or b""))
            try:
                await self._writer.drain()
            except ConnectionError:
                pass  # a daemon that refuses before it has read all has still sent a response
            return await self._receive()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, http.client.HTTPException) as error:
            raise Lost(EOFError("the response ended early, or is not HTTP"), sent=True) from error
        except OSError as error:
            raise Lost(error, sent=True) from error

    async def _receive(self) -> Response:
        status_line = (await self._reader.readuntil(b"\r\n")).split(b" ", 2)
        version, status = status_line[0], int(status_line[1])
        head = b""
        while not head.endswith(b"\r\n\r\n") and head != b"\r\n":
            head += await self._reader.readuntil(b"\r\n")
            if len(head) > _MAX_HEAD:
                raise too_long(self._path, _MAX_HEAD)
        headers = http.client.parse_headers(io.BytesIO(head))
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = await self._chunked()
        else:
            body = await self._plain(int(headers.get("Content-Length", "-1")))
        self.reusable = version == b"HTTP/1.1" and headers.get("Connection", "").lower() != "close" and not self._reader.at_eof()
        self._idle_since = time.monotonic()
        media_type = headers.get_content_type() if "Content-Type" in headers else ""
        return Response(status, media_type, body)

    async def _plain(self, length: int) -> bytes:
        if length > MAX_RESPONSE:
            raise too_long(self._path, MAX_RESPONSE)
        if length >= 0:
            return await self._reader.readexactly(length)
        body = await self._reader.read(MAX_RESPONSE + 1)
        while part := await self._reader.read(MAX_RESPONSE + 1 - len(body)):
            body += part
        if len(body) > MAX_RESPONSE:
            raise too_long(self._path, MAX_RESPONSE)
        return body

    async def _chunked(self) -> bytes:
        parts, size = [], 0
        while length := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            size += length
            if size > MAX_RESPONSE:
                raise too_long(self._path, MAX_RESPONSE)
            parts.append((await self._reader.readexactly(length + 2))[:-2])
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass  # trailers
        return b"".join(parts)
