# SPDX-License-Identifier: Apache-2.0
"""Client for assertd, the daemon that signs assertions with keys in an HSM.

    from assertd import Client

    with Client() as client:
        signed = client.assertion(grant="bank-a")

Each assertion is a credential until it expires. Send it to its receiver, once,
and never store or log it.
"""

from ._aio import AsyncClient
from ._client import Client
from ._errors import AssertdError, NotAssertd, Problem, Unavailable, VersionMismatch
from ._wire import DEFAULT_SOCKET, Assertion, AssertionRequest, Budget, Caller, Grant, Grants, Key, Ready, Signature
from .token import Token, TokenError, TokenSource

__version__ = "0.0.0"

__all__ = [
    "DEFAULT_SOCKET",
    "Assertion",
    "AssertionRequest",
    "AssertdError",
    "AsyncClient",
    "Budget",
    "Caller",
    "Client",
    "Grant",
    "Grants",
    "Key",
    "NotAssertd",
    "Problem",
    "Ready",
    "Signature",
    "Token",
    "TokenError",
    "TokenSource",
    "Unavailable",
    "VersionMismatch",
]
