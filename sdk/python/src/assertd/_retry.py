# SPDX-License-Identifier: Apache-2.0
"""When to try again: the rules of assertd's Go package."""

from __future__ import annotations

import os
import random
import time

from ._errors import AssertdError, NotAssertd, Problem, Unavailable, VersionMismatch
from ._wire import DEFAULT_SOCKET

RESTART_DELAY = 0.2
"""Seconds that a daemon that restarts gets to come back."""

MAX_DELAY = 2.0
"""If the daemon asks for a longer wait, in seconds, the error is raised."""


class Lost(Exception):
    """A connection failed. sent says whether the daemon may have the request."""

    def __init__(self, cause: OSError | EOFError, sent: bool):
        super().__init__(str(cause))
        self.cause, self.sent = cause, sent


def delay(error: Exception, idempotent: bool) -> float | None:
    """Return how many seconds to wait before the one retry, or None for no retry.

    A 503 is the daemon's word that it did nothing. A request that may have
    reached the daemon is repeated only if repeating it costs nothing: a POST
    would spend a budget twice.
    """
    if isinstance(error, Problem):
        wait = error.retry_after or RESTART_DELAY
        if error.status != 503 or wait > MAX_DELAY:
            return None
    elif isinstance(error, Lost) and _restarting(error.cause) and (idempotent or not error.sent):
        wait = RESTART_DELAY
    else:
        return None
    return wait * random.uniform(1, 1.25)  # so that callers don't all retry at once


def _restarting(cause: OSError | EOFError) -> bool:
    return isinstance(cause, (EOFError, ConnectionError, FileNotFoundError))


class Deadline:
    """The end of a call, in seconds from now. None means no end."""

    def __init__(self, timeout: float | None):
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return the seconds left, or raise TimeoutError if there are none."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("assertd did not answer in time")
        return left

    def allows(self, wait: float) -> bool:
        return self._end is None or time.monotonic() + wait < self._end


def check_path(path: str | None) -> str:
    """Return the path of the socket to use, which may be a URL, unix:///path."""
    path = path or os.environ.get("ASSERTD_SOCKET") or DEFAULT_SOCKET
    path = path.removeprefix("unix://") if path.startswith("unix:///") else path
    if path.startswith("@") or "\0" in path or "://" in path:
        raise ValueError(f"socket {path!r}: want a path such as {DEFAULT_SOCKET}")
    if len(os.fsencode(path)) > 107:
        raise ValueError(f"socket {path!r}: the kernel allows 107 bytes; use a shorter path")
    return path


def unavailable(path: str, error: Exception) -> AssertdError | TimeoutError:
    """Return a connection's failure as an error with its remedy."""
    cause = error.cause if isinstance(error, Lost) else error
    if isinstance(cause, TimeoutError):
        return TimeoutError("assertd did not answer in time")
    remedy = ""
    if isinstance(cause, FileNotFoundError):
        remedy = "; is the daemon running, and is this its socket?"
    elif isinstance(cause, PermissionError):
        remedy = "; ask to join the group that owns the socket"
    elif isinstance(cause, ConnectionRefusedError):
        remedy = "; start the daemon, and check that this is its socket"
    reason = getattr(cause, "strerror", None) or str(cause) or "the connection was closed"
    return Unavailable(f"cannot reach assertd at {path}: {reason}{remedy}")


def too_long(path: str, most: int) -> NotAssertd:
    return NotAssertd(f"{path} returned more than {most} bytes; is another program listening there?")


def wrong_socket(path: str) -> VersionMismatch:
    """Return the error for a socket whose daemon does not even tell its version."""
    return VersionMismatch(f"{path} is not a callers' socket, perhaps the operator's; callers use another one, by default {DEFAULT_SOCKET}")


def mismatch(version: str, call: str) -> VersionMismatch:
    return VersionMismatch(f"assertd {version} has no {call}; upgrade the daemon, or use the client of its version")
