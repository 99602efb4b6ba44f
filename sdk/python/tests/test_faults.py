"""Tests of what a working daemon doesn't do: a server of the test's own fails,
and counts what it got."""

import asyncio
import json
import os
import socket
import tempfile
import threading
import time
import unittest

from assertd import AsyncClient, Client, NotAssertd, Problem, Unavailable, VersionMismatch

SIGNED = json.dumps(
    {"assertion": "a.b.c", "kid": "k", "alg": "ES256", "issued_at": 1, "expires_at": 2, "grant": "g", "send": "custom"}
)


def response(status, body, media_type="application/json", extra=""):
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def problem(status, code, **members):
    body = json.dumps({"type": "urn:x", "title": "T", "status": status, "code": code, **members})
    return response(status, body, "application/problem+json")


OK = response(200, SIGNED)
CLOSE = b""


class Server:
    """Answers each request with the next of its scripts. CLOSE closes the
    connection in place of an answer."""

    def __init__(self, test, *script):
        directory = tempfile.TemporaryDirectory()
        test.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "s")
        self.script, self.got = list(script), []
        self.connections = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        test.addCleanup(self.stop)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            while head := self.request(connection):
                self.got.append(head)
                answer = self.script.pop(0)
                if answer == CLOSE:
                    return
                try:
                    connection.sendall(answer)
                except OSError:  # too long for the client
                    return

    @staticmethod
    def request(connection):
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                part = connection.recv(65536)
                if not part:
                    return None
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            while len(body) < length:
                body += connection.recv(65536)
        except OSError:
            return None
        return head.split(b"\r\n")[0].decode()

    def drop(self):
        """Close every connection, as a daemon that restarts does."""
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        self.drop()


class Sync:
    """Runs a call with the synchronous client."""

    def call(self, server, *calls, timeout=10.0, between=None):
        with Client(server.path, timeout=timeout) as client:
            for number, name in enumerate(calls):
                if number and between:
                    between()
                result = getattr(client, name)()
        return result


class Async:
    """Runs a call with the client for asyncio."""

    def call(self, server, *calls, timeout=10.0, between=None):
        async def work():
            async with AsyncClient(server.path, timeout=timeout) as client:
                for number, name in enumerate(calls):
                    if number and between:
                        between()
                        await asyncio.sleep(0.05)  # the event loop sees the end of the idle connection
                    result = await getattr(client, name)()
            return result

        return asyncio.run(work())


class Faults:
    def test_503_is_retried_once(self):
        for code in ("overloaded", "budget-unavailable"):
            busy = problem(503, code, retry_after_seconds=0.05)
            server = Server(self, busy, OK)
            self.assertEqual("a.b.c", self.call(server, "assertion").assertion)
            server = Server(self, busy, busy)
            with self.assertRaises(Problem) as refused:
                self.call(server, "assertion")
            self.assertEqual((code, 2), (refused.exception.code, len(server.got)))

    def test_a_long_wait_is_the_callers(self):
        server = Server(self, problem(503, "hsm-unavailable", retry_after_seconds=30))
        started = time.monotonic()
        with self.assertRaises(Problem) as refused:
            self.call(server, "assertion")
        self.assertEqual((30, 1), (refused.exception.retry_after, len(server.got)))
        self.assertLess(time.monotonic() - started, 10)

    def test_refusals_are_not_retried(self):
        for status, code in ((403, "audience-not-allowed"), (403, "frozen"), (429, "rate-limited"), (500, "internal")):
            server = Server(self, problem(status, code, retry_after_seconds=0.01))
            with self.assertRaises(Problem):
                self.call(server, "assertion")
            self.assertEqual(1, len(server.got), code)

    def test_a_post_is_not_sent_again_on_a_broken_connection(self):
        server = Server(self, CLOSE, OK)
        with self.assertRaises(Unavailable):
            self.call(server, "assertion")
        self.assertEqual(1, len(server.got))

    def test_a_get_is_sent_again_on_a_broken_connection(self):
        server = Server(self, CLOSE, response(200, '{"status": "ok", "version": "1"}'))
        self.assertEqual("1", self.call(server, "version"))

    def test_a_restart_between_calls_loses_nothing(self):
        server = Server(self, OK, OK)
        self.call(server, "assertion", "assertion", between=server.drop)
        self.assertEqual((2, 2), (len(server.got), len(server.connections)))

    def test_connections_are_reused(self):
        server = Server(self, OK, OK)
        self.call(server, "assertion", "assertion")
        self.assertEqual((2, 1), (len(server.got), len(server.connections)))

    def test_timeout(self):
        server = Server(self, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
        with self.assertRaises(TimeoutError):
            self.call(server, "assertion", timeout=0.3)

    def test_other_programs(self):
        for answer in (
            response(200, "<html>", "text/html"),
            response(404, "nothing here", "text/plain"),
            response(200, "x" * 100, extra="Transfer-Encoding: identity\r\n"),
        ):
            with self.assertRaisesRegex(NotAssertd, "another program"):
                self.call(Server(self, answer), "assertion")

    def test_too_long(self):
        with self.assertRaisesRegex(NotAssertd, "more than"):
            self.call(Server(self, response(200, "x" * (5 << 20))), "assertion")

    def test_other_version(self):
        answers = problem(404, "not-found"), response(200, '{"status": "ok", "version": "0.1"}')
        with self.assertRaisesRegex(VersionMismatch, "assertd 0.1 has no POST /v1/assertions"):
            self.call(Server(self, *answers), "assertion")

    def test_other_documents(self):
        for body in "null", "7", "{}", "[]":
            with self.assertRaises(NotAssertd):
                self.call(Server(self, response(200, body)), "assertion")

    def test_operator_socket(self):
        with self.assertRaisesRegex(VersionMismatch, "perhaps the operator's"):
            self.call(Server(self, *[problem(404, "not-found")] * 2), "assertion")

    def test_url(self):
        server = Server(self, OK)
        with Client(f"unix://{server.path}") as client:
            self.assertEqual("a.b.c", client.assertion().assertion)
        for path in "unix://s", "https://localhost":
            with self.assertRaisesRegex(ValueError, "want a path"):
                Client(path)

    def test_chunked(self):
        body = f"{len(SIGNED):x}\r\n{SIGNED}\r\n0\r\n\r\n".encode()
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        server = Server(self, chunked, chunked)
        self.assertEqual("a.b.c", self.call(server, "assertion", "assertion").assertion)
        self.assertEqual(1, len(server.connections))


class SyncFaults(Sync, Faults, unittest.TestCase):
    pass


class AsyncFaults(Async, Faults, unittest.TestCase):
    pass


if __name__ == "__main__":
    unittest.main()
