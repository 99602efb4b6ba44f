# SPDX-License-Identifier: Apache-2.0
"""Access tokens that are obtained with assertions."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Mapping

from . import _credentials
from ._client import Client
from ._errors import AssertdError
from ._wire import Assertion

_EARLY = 30.0  # seconds before the end of a token to get the next one
_BACKOFF = (1.0, 30.0)  # seconds between tries: at first, and at most


class TokenError(AssertdError):
    """The token endpoint refused, in its own words (RFC 6749 section 5.2). status
    is HTTP's, and 0 if there was no answer."""

    def __init__(self, error: str, description: str = "", status: int = 0):
        super().__init__(f"{error}: {description}" if description else error)
        self.error, self.description, self.status = error, description, status


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. expires_at is in seconds since the Unix epoch, and None if
    the server didn't say. response has every member of the answer. AWS STS gives
    no access token but credentials, which are in response."""

    access_token: str = field(repr=False)
    token_type: str
    expires_at: float | None
    response: Mapping[str, Any] = field(repr=False)

    def good(self, early: float = 0) -> bool:
        """Return whether the token will still be valid in so many seconds."""
        return self.expires_at is None or time.time() + early < self.expires_at


class TokenSource:
    """Gets access tokens from a token endpoint, and keeps each until shortly
    before it expires. It is safe for use by several threads.

    The grant's profile decides how the assertion is sent: as the client's
    authentication (RFC 7523 section 2.2), as the authorization grant (section
    2.1), as the subject token of a token exchange (RFC 8693), or as the web
    identity token of AWS STS. audience, claims and lifetime are those of the
    assertion; parameters, such as scope or RoleArn, go into the token request.

    If the server fails while the present token is good, that one is used. After
    a failure the server is left alone for a second, then for longer, at most 30
    seconds; until then every caller gets the same error.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        *,
        grant: str | None = None,
        audience: str | None = None,
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
        timeout: float = 30.0,
        **parameters: str,
    ):
        _check_url(url)
        self._client, self._url, self._timeout, self._parameters = client, url, timeout, parameters
        self._request: dict[str, Any] = {"audience": audience, "claims": claims, "lifetime": lifetime}
        self._grant = grant
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._failure: Exception | None = None
        self._tries_again, self._backoff = 0.0, _BACKOFF[0]

    def token(self) -> Token:
        """Return a token that is valid for another 30 seconds, where the server
        gives such tokens. Raises TokenError, or what Client.assertion raises."""
        with self._lock:  # so that those who wait share the outcome
            if self._token is not None and self._token.good(early=_EARLY):
                return self._token
            if self._failure is not None and time.monotonic() < self._tries_again:
                return self._fallback(self._failure)
            try:
                self._token = self._fetch()
            except (AssertdError, OSError) as error:
                self._failure = error
                self._tries_again = time.monotonic() + self._backoff
                self._backoff = min(2 * self._backoff, _BACKOFF[1])
                return self._fallback(error)
            self._failure, self._backoff = None, _BACKOFF[0]
            return self._token

    def forget(self, token: Token) -> None:
        """Get another token next time: a server has rejected this one."""
        with self._lock:
            if self._token is token:
                self._token = None

    def _fallback(self, error: Exception) -> Token:
        if self._token is not None and self._token.good():
            return self._token
        raise error

    def _fetch(self) -> Token:
        signed = self._client.assertion(self._grant, **self._request)
        form = {**_form(signed), **self._parameters}
        request = urllib.request.Request(
            self._url, urllib.parse.urlencode(form).encode("ascii"), {"Accept": "application/json"}
        )
        try:
            with _opener.open(request, timeout=self._timeout) as response:
                return _parse(response.read(1 << 20), response.status, signed)
        except urllib.error.HTTPError as error:
            with error:
                return _parse(error.read(1 << 20), error.code, signed)
        except urllib.error.URLError as error:
            raise TokenError("no answer", str(error.reason)) from error


_WEB_IDENTITY = "web_identity"

# The parameters that the assertion and its type go into, and what goes along.
_FORMS: dict[str, tuple[str, str | None, dict[str, str]]] = {
    "client_assertion": ("client_assertion", "client_assertion_type", {"grant_type": "client_credentials"}),
    "assertion": ("assertion", "grant_type", {}),
    "subject_token": (
        "subject_token",
        "subject_token_type",
        {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
    ),
    _WEB_IDENTITY: ("WebIdentityToken", None, {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"}),
}


def _form(signed: Assertion) -> dict[str, str]:
    if signed.send not in _FORMS:
        raise ValueError(f"grant {signed.grant} does not make assertions for token requests; get one and send it yourself")
    assertion, kind, fixed = _FORMS[signed.send]
    fields = {**fixed, assertion: signed.assertion}
    if kind is not None:
        fields[kind] = signed.assertion_type
    return fields


def _parse(body: bytes, status: int, signed: Assertion) -> Token:
    document = _object(body)
    if document is None and signed.send == _WEB_IDENTITY:
        document = _credentials.from_xml(body)
    if document is None:
        raise TokenError("the answer is not JSON", f"HTTP {status}; check the URL of the token endpoint", status)
    if signed.send == _WEB_IDENTITY:
        return _parse_credentials(document, status, signed)
    if not isinstance(document.get("access_token"), str) or not document["access_token"]:
        text = [str(document.get(name, "")) for name in ("error", "error_description")]
        raise _refusal(text[0] or f"no access_token in the answer with HTTP {status}", text[1], status, signed)
    lifetime = document.get("expires_in")
    expires_at = time.time() + float(lifetime) if isinstance(lifetime, (int, float, str)) and str(lifetime).isdigit() else None
    return Token(document["access_token"], str(document.get("token_type", "Bearer")), expires_at, document)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _parse_credentials(document: dict[str, Any], status: int, signed: Assertion) -> Token:
    found = _credentials.credentials(document)
    if found is None:
        code, message = _credentials.refusal(document)
        raise _refusal(code or f"no credentials in the answer with HTTP {status}", message, status, signed)
    return Token("", "", _credentials.expiration(found), document)


def _refusal(error: str, description: str, status: int, signed: Assertion) -> TokenError:
    """Return an error without the assertion, which some servers quote. It is still
    a credential."""
    error, description = (text.replace(signed.assertion, "[assertion]") for text in (error, description))
    return TokenError(error, description, status)


def _check_url(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError(f"token endpoint {url!r}: want https, which keeps the assertion secret on its way")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An assertion is for one server only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        raise TokenError("the token endpoint redirects", f"to {newurl}; use that URL if you trust it", code)


_opener = urllib.request.build_opener(_NoRedirect)
