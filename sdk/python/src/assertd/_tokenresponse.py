# SPDX-License-Identifier: Apache-2.0
"""The response of a token endpoint, whatever its form."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Mapping, Sequence

from . import _credentials, _refusal
from ._errors import AssertdError
from ._tokenform import VAULT_LOGIN, WEB_IDENTITY

_LONGEST_LIFETIME = 10 * 365 * 24 * 3600.0  # seconds; a longer one is a mistake


class TokenError(AssertdError):
    """The token endpoint refused, in its own words (RFC 6749 section 5.2). status
    is HTTP's, and 0 if there was no answer. retry_after is in seconds, and 0 if
    the server doesn't ask for a wait."""

    def __init__(self, error: str, description: str = "", status: int = 0, retry_after: float = 0.0):
        super().__init__(f"{error}: {description}" if description else error)
        self.error, self.description, self.status, self.retry_after = error, description, status, retry_after


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. expires_at is in seconds since the Unix epoch, and None if
    the server didn't say; TokenSource then gets another one each time. response
    has every member of the answer. AWS STS gives no access token but
    credentials, which are in response."""

    access_token: str = field(repr=False)
    token_type: str
    expires_at: float | None
    response: Mapping[str, Any] = field(repr=False)

    def good(self, early: float = 0) -> bool:
        """Return whether the token will still be valid in so many seconds."""
        return self.expires_at is None or time.time() + early < self.expires_at


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint answered, to a request with these secrets."""

    status: int
    headers: Message
    body: bytes = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def token(self, send: str) -> Token:
        """Return the token. Raises TokenError if there is none."""
        document, fault = self._read()
        found = None
        if isinstance(document, dict) and self.status // 100 == 2:
            found = _PARSERS.get(send, _parse)(document)
        if found is None:
            raise self._refusal(fault, "credentials" if send == WEB_IDENTITY else "access_token")
        if not found.access_token.isascii() or not found.access_token.isprintable():
            raise TokenError("the access token has characters that no token may have", "RFC 6749, appendix A.12", self.status)
        return found

    def _read(self) -> tuple[Any, Any]:
        """Return the document, and where its error would be: in XML below the root."""
        try:
            document = json.loads(self.body.decode("utf-8-sig"))
            return document, document
        except (ValueError, RecursionError):
            document = _credentials.from_xml(self.body)
        if document is None or "html" in document:
            return None, None
        return document, next(iter(document.values()))

    def _refusal(self, fault: Any, member: str) -> TokenError:
        error, description = self._reason() if fault is None else _refusal.find(fault)
        if not error and not description:
            error, description = _refusal.challenge(self.headers)
        if fault is None and not error and not description:
            error, description = "the answer is not JSON", f"HTTP {self.status}; check the URL of the token endpoint"
            if title := _refusal.page_title(self.body):
                error = f'the answer is a web page titled "{title}"'
        error = error or f"no {member} in the answer with HTTP {self.status}"
        error, description = (_refusal.clean(text, self.secrets) for text in (error, description))
        return TokenError(error, description, self.status, self._wait())

    def _reason(self) -> tuple[str, str]:
        """Return code and text of an error that is neither JSON nor XML. A success
        without a token may have the token in a form of its own, so it isn't shown."""
        if self.status < 400:
            return "", ""
        return _refusal.plain(self.headers.get_content_type() if "Content-Type" in self.headers else "", self.body)

    def _wait(self) -> float:
        """Return the seconds to wait. The form with a date is ignored."""
        given = self.headers.get("Retry-After", "")
        return float(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0.0


def _parse(document: dict[str, Any]) -> Token | None:
    token = document.get("access_token")
    if not isinstance(token, str) or token == "":
        return None
    kind = document.get("token_type")
    return Token(token, kind if isinstance(kind, str) else "Bearer", _end(document.get("expires_in")), document)


def _parse_credentials(document: dict[str, Any]) -> Token | None:
    found = _credentials.credentials(document)
    return None if found is None else Token("", "", _credentials.expiration(found), document)


def _parse_login(document: dict[str, Any]) -> Token | None:
    login = document.get("auth")
    if not isinstance(login, dict):
        return None
    token = login.get("client_token")
    if not isinstance(token, str) or token == "":
        return None
    return Token(token, "Bearer", _end(login.get("lease_duration")), document)


_PARSERS = {WEB_IDENTITY: _parse_credentials, VAULT_LOGIN: _parse_login}


def _end(lifetime: Any) -> float | None:
    """Return when a token expires. Some servers write the seconds as a text."""
    try:
        seconds = float(lifetime)
    except (TypeError, ValueError, OverflowError):
        return None
    return time.time() + seconds if 0 < seconds <= _LONGEST_LIFETIME else None
