# SPDX-License-Identifier: Apache-2.0
"""Access tokens that are obtained with assertions."""

from __future__ import annotations

import http.client
import ipaddress
import random
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from types import TracebackType
from typing import Any, Mapping

from . import _refusal, _tokenform
from ._client import Client
from ._errors import AssertdError, Problem
from ._tokenresponse import Answer, Token, TokenError
from ._wire import Assertion, AssertionRequest

__all__ = ["Token", "TokenError", "TokenSource"]

_EARLY = 60.0  # seconds before the end of a token to get the next one, at most; and a tenth of its life
_BACKOFF = (1.0, 30.0)  # seconds between tries: at first, and at most
_LONGEST_WAIT = 300.0  # seconds that a server can ask for
_PAUSE = 0.5  # seconds before the one retry, if the server doesn't say
_LONGEST_PAUSE = 5.0
_LIMIT = 1 << 20  # bytes of an answer


class TokenSource:
    """Gets access tokens from a token endpoint, and keeps each until shortly
    before it expires. It is safe for use by several threads.

    The grant's profile decides how the assertion is sent: as the client's
    authentication (RFC 7523 section 2.2), as the authorization grant (section
    2.1), as the subject token of a token exchange (RFC 8693), as the web
    identity token of AWS STS, or as a login at OpenBao or Vault. audience, claims
    and lifetime are those of the assertion; parameters, such as scope or RoleArn,
    go into the token request. Beside a grant or a token exchange, client_auth
    names a second grant, which authenticates the client.

    A request whose connection broke, or that got a status from 502 to 504, is
    repeated once, with a new assertion.

    If the server fails while the present token is good, that one is used. After
    a failure the server is left alone for a second, then for longer, at most 30
    seconds or as long as it asks for, up to five minutes; until then every caller
    gets the same error.
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
        client_auth: AssertionRequest | str | None = None,
        timeout: float = 30.0,
        **parameters: str,
    ):
        _check_url(url)
        self._client, self._url, self._timeout, self._parameters = client, url, timeout, parameters
        self._request = AssertionRequest(grant, audience, claims, lifetime)
        self._client_auth = AssertionRequest(client_auth) if isinstance(client_auth, str) else client_auth
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0
        self._failure: Exception | None = None
        self._traceback: TracebackType | None = None  # of the failure
        self._tries_again, self._backoff = 0.0, _BACKOFF[0]

    def token(self) -> Token:
        """Return a token that has at least a tenth of its life left, or a minute.
        Raises TokenError, or what Client.assertion raises."""
        with self._lock:  # so that those who wait share the outcome
            if self._token is not None and time.time() < self._renew_at:
                return self._token
            if self._failure is not None and time.monotonic() < self._tries_again:
                return self._fallback(self._failure)
            try:
                self._token = self._fetch()
            except (AssertdError, OSError) as error:
                self._failed(error)
                return self._fallback(error)
            self._renew_at = _renewal(self._token)
            self._failure, self._backoff = None, _BACKOFF[0]
            return self._token

    def forget(self, token: Token) -> None:
        """Get another token next time: a server has rejected this one."""
        with self._lock:
            if self._token is token:
                self._token = None

    def _failed(self, error: Exception) -> None:
        asked = error.retry_after if isinstance(error, (Problem, TokenError)) else 0
        wait = max(self._backoff, min(asked or 0, _LONGEST_WAIT))
        self._failure, self._traceback = error, error.__traceback__
        self._tries_again = time.monotonic() + wait * random.uniform(1, 1.25)
        self._backoff = min(2 * self._backoff, _BACKOFF[1])

    def _fallback(self, error: Exception) -> Token:
        if self._token is not None and self._token.expires_at is not None and self._token.good():
            return self._token
        # Otherwise each raise adds to the traceback, and keeps its frames alive.
        raise error.with_traceback(self._traceback)

    def _fetch(self) -> Token:
        try:
            return self._attempt()
        except TokenError as error:
            pause = error.retry_after or _PAUSE
            if not _temporary(error) or pause > _LONGEST_PAUSE or not self._repeatable(error):
                raise
        time.sleep(pause)
        return self._attempt()

    def _repeatable(self, error: TokenError) -> bool:
        """Return whether it is safe to repeat a request whose outcome is unknown.
        Codes and refresh tokens are used once."""
        kind = self._parameters.get("grant_type", "client_credentials")
        return kind == "client_credentials" or isinstance(error.__cause__, ConnectionRefusedError)

    def _attempt(self) -> Token:
        signed = self._sign(self._request)
        fields, secrets = _tokenform.form(signed), [signed.assertion]
        if self._client_auth is not None:
            own = self._sign(self._client_auth)
            fields.update(_tokenform.authentication(signed, own))
            secrets.append(own.assertion)
        request = _tokenform.request(self._url, signed.send, {**fields, **self._parameters})
        return self._exchange(request, secrets).token(signed.send)

    def _sign(self, request: AssertionRequest) -> Assertion:
        return self._client.assertion(
            request.grant, audience=request.audience, claims=request.claims, lifetime=request.lifetime
        )

    def _exchange(self, request: urllib.request.Request, secrets: list[str]) -> Answer:
        deadline = time.monotonic() + self._timeout
        try:
            try:
                response = _opener_of(request).open(request, timeout=self._timeout)
            except urllib.error.HTTPError as error:
                response = error  # a refusal
            with response:
                return Answer(response.status, response.headers, _read(response, deadline), secrets)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            cause = reason if isinstance(reason, Exception) else error
            raise TokenError("no answer", _refusal.clean(str(reason) or type(reason).__name__, secrets)) from cause


def _read(response: Any, deadline: float) -> bytes:
    """Return the body. The timeout of a socket doesn't end a body that comes byte by
    byte."""
    body = b""
    while len(body) < _LIMIT and (part := response.read1(_LIMIT - len(body))):
        body += part
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    missing = getattr(response, "length", None)
    if missing and len(body) < _LIMIT:
        raise http.client.IncompleteRead(b"", missing)
    return body


def _renewal(token: Token) -> float:
    """Return when to get the next token. One without an end is used once."""
    if token.expires_at is None:
        return 0.0
    return token.expires_at - min(_EARLY, (token.expires_at - time.time()) / 10)


def _temporary(error: TokenError) -> bool:
    if error.status == 0:
        return not isinstance(error.__cause__, (TimeoutError, ssl.SSLCertVerificationError))
    return error.status in (502, 503, 504)


def _check_url(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError(f"token endpoint {url!r}: want https, which keeps the assertion secret on its way")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An assertion is for one server only."""

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message) -> None:
        if target := headers.get("Location"):
            raise TokenError("the token endpoint redirects", f"to {_target(req.full_url, target)}", code)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _target(url: str, location: str) -> str:
    """Return where a redirect leads, without what may be secret in a URL."""
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(url, location))
    except ValueError:
        return "something that is not a URL"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return f"{_refusal.clean(bare, ())}; use that URL if you trust it"


_opener = urllib.request.build_opener(_NoRedirect)
_direct = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def _opener_of(request: urllib.request.Request) -> urllib.request.OpenerDirector:
    """Plain http is for this machine only, so it goes through no proxy."""
    return _direct if request.type == "http" else _opener
