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


class AssertdError(Exception):
    """A refusal by the daemon. The code is stable, such as "audience-not-allowed"."""

    def __init__(self, problem):
        super().__init__(f"{problem['title']}: {problem.get('detail', '')}")
        self.code = problem["code"]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=10):
        super().__init__("assertd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def assertion(path, **request):
    """Return a fresh assertion. Each one is single-use: ask for a new one every time."""
    connection = UnixConnection(path)
    try:
        connection.request("POST", "/v1/assertions", json.dumps(request), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.load(response)
    finally:
        connection.close()
    if response.status != 200:
        raise AssertdError(answer)
    return answer


def token(url, signed, **parameters):
    """Return an access token for client credentials (RFC 7523, section 2.2)."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": signed["assertion_type"],
        "client_assertion": signed["assertion"],
        **parameters,
    }
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=30) as response:
        return json.load(response)


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
    except (OSError, AssertdError) as error:  # urllib's errors are OSErrors too
        sys.exit(f"token.py: {error}")
    print(f"got a {answer['token_type']} token for {answer['expires_in']} s")


if __name__ == "__main__":
    main()
