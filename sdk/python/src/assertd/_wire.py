# SPDX-License-Identifier: Apache-2.0
"""The API's requests and responses, without any I/O. ipc/openapi.yaml in the
repository describes them. Unknown members of a response are ignored."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ._errors import AssertdError, NotAssertd, Problem

DEFAULT_SOCKET = "/run/assertd/assertd.sock"
"""The socket path in assertd's packages and images."""

MAX_RESPONSE = 4 << 20
"""The most bytes to read of a response. The largest batch fits several times."""


@dataclass(frozen=True, slots=True)
class AssertionRequest:
    """What to ask for. Leave out the grant if only one fits, and the audience if
    the grant has only one. The lifetime is in seconds; the grant has a default."""

    grant: str | None = None
    audience: str | None = None
    claims: Mapping[str, Any] | None = None
    lifetime: int | None = None

    def body(self) -> dict[str, Any]:
        members = {
            "grant": self.grant,
            "audience": self.audience,
            "claims": self.claims,
            "lifetime_seconds": self.lifetime,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Assertion:
    """A signed assertion. issued_at and expires_at are seconds since the Unix
    epoch. assertion_type is empty for profiles outside of OAuth. send says how
    the receiver wants it, such as "client_assertion" or "bearer"."""

    assertion: str = field(repr=False)
    kid: str
    alg: str
    issued_at: int
    expires_at: int
    grant: str
    assertion_type: str = ""
    send: str = ""
    jti: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Assertion:
        if not isinstance(document.get("assertion"), str):
            raise NotAssertd("the answer has no assertion; is another program listening on the socket?")
        return cls(
            assertion=document["assertion"],
            kid=document["kid"],
            alg=document["alg"],
            issued_at=document["issued_at"],
            expires_at=document["expires_at"],
            grant=document["grant"],
            assertion_type=document.get("assertion_type", ""),
            send=document.get("send", ""),
            jti=document.get("jti", ""),
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """A raw signature: ASN.1 DER for ECDSA, plain bytes for RSA and Ed25519."""

    signature: bytes
    kid: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Signature:
        return cls(base64.b64decode(document["signature"], validate=True), document["kid"])


@dataclass(frozen=True, slots=True)
class Key:
    """A raw key set that the caller may use. public_key and certificates are PEM."""

    key: str
    kid: str
    alg: str
    public_key: str
    certificates: tuple[str, ...]
    hashes: tuple[str, ...]
    paddings: tuple[str, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Key:
        return cls(
            key=document["key"],
            kid=document["kid"],
            alg=document["alg"],
            public_key=document["public_key"],
            certificates=tuple(document.get("certificates", ())),
            hashes=tuple(document["hashes"]),
            paddings=tuple(document.get("paddings", ())),
        )


@dataclass(frozen=True, slots=True)
class Budget:
    """A rate limit and what is left of it."""

    name: str
    limit: int
    per_seconds: float
    remaining: int
    reset_seconds: float
    burst: int = 0

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Budget:
        return cls(
            name=document["name"],
            limit=document["limit"],
            per_seconds=document["per_seconds"],
            remaining=document["remaining"],
            reset_seconds=document["reset_seconds"],
            burst=document.get("burst", 0),
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What the caller may have signed. document has every member of the response."""

    name: str
    client: str
    use: str
    key: str
    profile: str
    audiences: tuple[str, ...]
    budgets: tuple[Budget, ...]
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Grant:
        return cls(
            name=document["name"],
            client=document["client"],
            use=document["use"],
            key=document["key"],
            profile=document.get("profile", ""),
            audiences=tuple(document.get("audiences", ())),
            budgets=tuple(Budget.parse(budget) for budget in document.get("budgets", ())),
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """This process as the daemon has identified it."""

    uid: int
    gid: int
    pid: int
    clients: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Caller:
        return cls(document["uid"], document["gid"], document["pid"], tuple(document.get("clients", ())), document)


@dataclass(frozen=True, slots=True)
class Grants:
    """The caller, and all that it may have signed."""

    caller: Caller
    grants: tuple[Grant, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Grants:
        return cls(Caller.parse(document["caller"]), tuple(Grant.parse(grant) for grant in document["grants"]))


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether the daemon can sign. degraded names key sets that can't, with the
    reason; reason and detail say why nothing can be signed."""

    ready: bool
    reason: str
    detail: str
    degraded: Mapping[str, str]
    warnings: tuple[str, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Ready:
        return cls(
            ready=document["ready"],
            reason=document.get("reason", ""),
            detail=document.get("detail", ""),
            degraded={key["key"]: key["reason"] for key in document.get("degraded", ())},
            warnings=tuple(document.get("warnings", ())),
        )


def sign_body(key: str, hash: str, digest: bytes, padding: str | None) -> dict[str, Any]:
    body = {"key": key, "hash": hash, "digest": base64.b64encode(digest).decode("ascii")}
    if padding is not None:
        body["padding"] = padding
    return body


def batch_body(requests: Sequence[AssertionRequest]) -> dict[str, Any]:
    return {"requests": [request.body() for request in requests]}


def parse_batch(document: Mapping[str, Any], count: int) -> list[Assertion | Problem]:
    results = document["results"]
    if len(results) != count:
        raise NotAssertd(f"got {len(results)} results for {count} requests")
    return [_result(result) for result in results]


def _result(result: Mapping[str, Any]) -> Assertion | Problem:
    if "problem" in result:
        return Problem(result["problem"], result["problem"]["status"])
    return Assertion.parse(result["assertion"])


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it came from the socket."""

    status: int
    media_type: str
    body: bytes

    def document(self, path: str) -> Any:
        """Return the JSON of a success, or raise the Problem. path is the socket's."""
        document = self.parse(path)
        if self.status == 200 and isinstance(document, dict):
            return document
        if not isinstance(document, dict) or not isinstance(document.get("code"), str):
            raise self.foreign(path)
        raise Problem(document, self.status)

    def ready(self, path: str) -> Ready:
        """Return the readiness, whatever the status, or raise the Problem."""
        document = self.parse(path)
        if isinstance(document, dict) and "ready" in document:
            return Ready.parse(document)
        return Ready.parse(self.document(path))

    def parse(self, path: str) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise self.foreign(path) from None

    def foreign(self, path: str) -> AssertdError:
        kind = self.media_type or "no media type"
        return NotAssertd(f"{path} returned HTTP {self.status} with {kind}; is another program listening there?")
