# SPDX-License-Identifier: Apache-2.0
"""Connections of the synchronous client."""

from __future__ import annotations

import http.client
import socket
import threading
import time

from ._retry import Deadline, Lost, too_long
from ._wire import MAX_RESPONSE, Response

MAX_IDLE = 64
IDLE_LIMIT = 60.0  # seconds; the daemon closes idle connections after two minutes by default


class Connection(http.client.HTTPConnection):
    """HTTP/1.1 over a Unix socket. It carries one request at a time."""

    def __init__(self, path: str):
        super().__init__("assertd")
        self._path = path
        self.idle_since = 0.0
        self.sock: socket.socket | None = None

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def alive(self) -> bool:
        """Return whether the daemon has kept an idle connection open."""
        if self.sock is None or time.monotonic() - self.idle_since > IDLE_LIMIT:
            return False
        try:
            self.sock.setblocking(False)
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # the end, or bytes that nobody asked for

    def allow(self, deadline: Deadline) -> None:
        self.timeout = deadline.left()
        if self.sock is not None:
            self.sock.settimeout(self.timeout)

    def exchange(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Response:
        sent = False
        try:
            self.allow(deadline)
            if self.sock is None:
                self.connect()
            headers = {} if body is None else {"Content-Type": "application/json"}
            sent = True
            try:
                self.request(method, path, body, headers)
            except ConnectionError:
                pass  # a daemon that refuses before it has read all has still sent a response
            self.allow(deadline)
            return self._receive(deadline)
        except http.client.HTTPException as error:
            # RemoteDisconnected is a ConnectionError too.
            raise Lost(error if isinstance(error, OSError) else EOFError(str(error)), sent) from error
        except (OSError, EOFError) as error:
            raise Lost(error, sent) from error

    def _receive(self, deadline: Deadline) -> Response:
        response = self.getresponse()
        parts, size = [], 0
        while part := response.read(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MAX_RESPONSE:
                raise too_long(self._path, MAX_RESPONSE)
            self.allow(deadline)
        if response.length:
            raise EOFError("the response ended early")
        if response.will_close:
            self.close()
        media_type = response.headers.get_content_type() if "Content-Type" in response.headers else ""
        return Response(response.status, media_type, b"".join(parts))


class Pool:
    """Idle connections to one daemon. It is safe for use by several threads."""

    def __init__(self, path: str):
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[Connection] = []  # most recently used last

    def exchange(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Response:
        connection = self._take()
        try:
            response = connection.exchange(method, path, body, deadline)
        except BaseException:
            connection.close()
            raise
        self._put(connection)
        return response

    def _take(self) -> Connection:
        with self._lock:
            if not self._idle:
                return Connection(self.path)
            connection = self._idle.pop()
            if connection.alive():
                return connection
            dead, self._idle = [connection, *self._idle], []  # the daemon has restarted
        for connection in dead:
            connection.close()
        return Connection(self.path)

    def _put(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        if connection.sock is None:
            return
        with self._lock:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
