#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Get an access token with only Python's standard library.

    ASSERTD_SOCKET=.assertd/assertd.sock TOKEN_URL=https://as.example/token python3 token.py
"""
import base64
import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request


LIMIT = 1 << 20  # bytes of an answer


class AssertdError(Exception):
    """A refusal by the daemon. The code is stable, such as "audience-not-allowed"."""

    def __init__(self, status, problem):
        super().__init__(said(problem, "title", "detail") or f"HTTP {status}; is this the daemon's socket?")
        self.code = problem.get("code")


class TokenError(Exception):
    """A refusal by the token endpoint, or an answer without a token."""

    def __init__(self, status, answer):
        reason = said(answer, "error", "error_description") or "the answer has no access token"
        super().__init__(f"HTTP {status}: {reason}")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=10):
        super().__init__("assertd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def document(text):
    """Return a JSON object, or an empty one for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def said(answer, *members):
    """Return those members of an answer that are texts."""
    return ": ".join(answer[name] for name in members if isinstance(answer.get(name), str))


def assertion(path, **request):
    """Return a fresh assertion. Each one is single-use: ask for a new one every time."""
    connection = UnixConnection(path)
    try:
        connection.request("POST", "/v1/assertions", json.dumps(request), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = document(response.read(LIMIT))
    finally:
        connection.close()
    if response.status != 200 or "assertion" not in answer:
        raise AssertdError(response.status, answer)
    return answer


def token(url, signed, **parameters):
    """Return an access token for client credentials (RFC 7523, section 2.2)."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": signed["assertion_type"],
        "client_assertion": signed["assertion"],
        **parameters,
    }
    try:
        response = urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=30)
    except urllib.error.HTTPError as error:
        response = error  # has the server's reason
    with response:
        answer = document(response.read(LIMIT))
    if "access_token" not in answer:  # some servers refuse with status 200
        raise TokenError(response.status, answer)
    return answer


def claims(signed):
    """Return the claims of an assertion. Without the signature they are not secret."""
    part = signed["assertion"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def main():
    path = os.environ.get("ASSERTD_SOCKET", "/run/assertd/assertd.sock")
    try:
        signed = assertion(path)
        if "TOKEN_URL" not in os.environ:
            print(json.dumps(claims(signed), indent=2))
            return
        answer = token(os.environ["TOKEN_URL"], signed)
    except (OSError, ValueError, http.client.HTTPException, AssertdError, TokenError) as error:
        sys.exit(f"token.py: {error}")
    # A server need not say for how long.
    lasts = f" for {answer['expires_in']} s" if "expires_in" in answer else ""
    print(f"got a {answer.get('token_type', 'bearer')} token{lasts}")


if __name__ == "__main__":
    main()
