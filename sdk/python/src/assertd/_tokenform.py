# SPDX-License-Identifier: Apache-2.0
"""The token request for each way to send an assertion."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from typing import Mapping

from ._wire import Assertion

WEB_IDENTITY = "web_identity"
VAULT_LOGIN = "vault_login"

_EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
}

# The parameters that the assertion and its type go into, and what goes along.
_FORMS: dict[str, tuple[str, str | None, dict[str, str]]] = {
    "client_assertion": ("client_assertion", "client_assertion_type", {"grant_type": "client_credentials"}),
    "assertion": ("assertion", "grant_type", {}),
    "subject_token": ("subject_token", "subject_token_type", _EXCHANGE),
    "client_secret": ("client_secret", None, {"grant_type": "client_credentials"}),
    WEB_IDENTITY: ("WebIdentityToken", None, {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"}),
    VAULT_LOGIN: ("jwt", None, {}),
}


def form(signed: Assertion) -> dict[str, str]:
    """Return the parameters for an assertion."""
    if signed.send not in _FORMS:
        raise ValueError(f"grant {signed.grant} does not make assertions for token requests; get one and send it yourself")
    assertion, kind, along = _FORMS[signed.send]
    fields = {**along, assertion: signed.assertion}
    if kind is not None:
        fields[kind] = signed.assertion_type
    return fields


def authentication(signed: Assertion, client: Assertion) -> dict[str, str]:
    """Return the parameters for the assertion of a client, beside one that does not
    authenticate it."""
    if signed.send not in ("assertion", "subject_token"):
        raise ValueError(f"grant {signed.grant} leaves no room for client authentication; leave client_auth out")
    if client.send != "client_assertion":
        raise ValueError(f"grant {client.grant} does not authenticate a client; name one in client_auth that does")
    return form(client) | {"grant_type": form(signed)["grant_type"]}


def request(url: str, send: str, fields: Mapping[str, str]) -> urllib.request.Request:
    """Return the request. Vault and OpenBao take JSON, and want the header that a
    browser can't add."""
    if send != VAULT_LOGIN:
        body = urllib.parse.urlencode(fields).encode("ascii")
        return urllib.request.Request(url, body, {"Accept": "application/json"})
    headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
    if "namespace" in fields:
        headers["X-Vault-Namespace"] = fields["namespace"]
    members = {name: value for name, value in fields.items() if name != "namespace"}
    return urllib.request.Request(url, json.dumps(members).encode("ascii"), headers)
