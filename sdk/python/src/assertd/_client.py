# SPDX-License-Identifier: Apache-2.0
"""The synchronous client."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any, Callable, Mapping, Sequence

from ._errors import Problem
from ._pool import Pool
from ._retry import Deadline, Lost, check_path, delay, mismatch, unavailable, wrong_socket
from ._wire import (
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


class Client:
    """A connection pool to one daemon. It is safe for use by several threads;
    make one and keep it. It doesn't connect before the first call.

    path is the daemon's socket, by default $ASSERTD_SOCKET or
    /run/assertd/assertd.sock. timeout is the limit of each call in seconds, its
    retry included; None means no limit.

    A call is repeated once if the daemon answers 503 with a short wait, or is
    restarting and can't have got the request. Every method raises Problem if the
    daemon refuses, Unavailable if it can't be reached, and TimeoutError.
    """

    def __init__(self, path: str | None = None, *, timeout: float | None = 10.0):
        self.path = check_path(path)
        self._timeout = timeout
        self._pool = Pool(self.path)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def assertion(
        self,
        grant: str | None = None,
        *,
        audience: str | None = None,
        claims: Mapping[str, Any] | None = None,
        lifetime: int | None = None,
    ) -> Assertion:
        """Return a fresh assertion. Leave out the grant if only one fits, and the
        audience if the grant has only one. lifetime is in seconds."""
        request = AssertionRequest(grant, audience, claims, lifetime)
        return Assertion.parse(self._call("POST", "/v1/assertions", request.body()))

    def batch(self, requests: Sequence[AssertionRequest]) -> list[Assertion | Problem]:
        """Return a result for each of at most 64 requests, in the same order. A
        request that is refused has a Problem, which is not raised."""
        return parse_batch(self._call("POST", "/v1/assertions/batch", batch_body(requests)), len(requests))

    def callback(self, grant: str | None = None, **request: Any) -> Callable[..., str]:
        """Return a function that returns a fresh assertion as a string: the
        callback that libraries take, such as MSAL's client_assertion. It ignores
        its arguments."""
        return lambda *_, **__: self.assertion(grant, **request).assertion

    def sign(self, key: str, hash: str, digest: bytes, *, padding: str | None = None) -> Signature:
        """Return a raw signature over a digest with a key set whose use is raw.
        hash is SHA-256, SHA-384, SHA-512, or none for Ed25519, which signs the
        message itself. padding is pkcs1v15 or pss, for RSA only."""
        return Signature.parse(self._call("POST", "/v1/sign", sign_body(key, hash, digest, padding)))

    def grants(self) -> Grants:
        """Return this process's grants and what remains of each rate budget."""
        return Grants.parse(self._call("GET", "/v1/grants"))

    def keys(self) -> tuple[Key, ...]:
        """Return the raw key sets that this process may use."""
        return tuple(Key.parse(key) for key in self._call("GET", "/v1/keys")["keys"])

    def jwks(self) -> dict[str, Any]:
        """Return the public JWK set (RFC 7517 section 5)."""
        document: dict[str, Any] = self._call("GET", "/v1/jwks")
        return document

    def version(self) -> str:
        """Return the daemon's version if it is running, able to sign or not."""
        return str(self._call("GET", "/v1/health")["version"])

    def ready(self) -> Ready:
        """Return whether the daemon can sign now. A daemon that can't is no error."""
        response = self._exchange("GET", "/v1/ready", None, Deadline(self._timeout))
        return response.ready(self.path)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        deadline = Deadline(self._timeout)
        text = None if body is None else json.dumps(body).encode("utf-8")
        try:
            return self._retried(method, path, text, deadline)
        except Problem as problem:
            if problem.code != "not-found":
                raise
            if path == "/v1/health":
                raise wrong_socket(self.path) from problem
            raise mismatch(self.version(), f"{method} {path}") from problem

    def _retried(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Any:
        try:
            return self._pool.exchange(method, path, body, deadline).document(self.path)
        except (Problem, Lost) as error:
            wait = delay(error, idempotent=method == "GET")
            if wait is None or not deadline.allows(wait):
                raise self._explained(error) from None
        time.sleep(wait)
        return self._exchange(method, path, body, deadline).document(self.path)

    def _exchange(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Response:
        try:
            return self._pool.exchange(method, path, body, deadline)
        except Lost as error:
            raise self._explained(error) from error.cause

    def _explained(self, error: Exception) -> Exception:
        return unavailable(self.path, error) if isinstance(error, Lost) else error
