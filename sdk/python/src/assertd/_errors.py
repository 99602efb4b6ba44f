# SPDX-License-Identifier: Apache-2.0
"""The errors of this package. All are AssertdError."""

from __future__ import annotations

from typing import Any, Mapping


class AssertdError(Exception):
    """Any failure to get something from assertd."""


class Unavailable(AssertdError):
    """No daemon answers on the socket, or the connection broke."""


class NotAssertd(AssertdError):
    """What answers on the socket does not speak this API."""


class VersionMismatch(AssertdError):
    """The daemon is too old, or too new, for the call."""


class Problem(AssertdError):
    """A refusal or failure of the daemon: a problem document (RFC 9457).

    The code is stable, such as "audience-not-allowed"; compare it, not the text.
    Treat an unknown code by its status. retry_after is in seconds, and 0 if the
    daemon doesn't say.
    """

    def __init__(self, document: Mapping[str, Any], status: int):
        self.code = str(document["code"])
        self.status = status
        self.title = str(document.get("title", self.code))
        self.detail = str(document.get("detail", ""))
        self.request_id = str(document.get("request_id", ""))
        self.retry_after = float(document.get("retry_after_seconds", 0))
        super().__init__(f"{self.title}: {self.detail}" if self.detail else self.title)
