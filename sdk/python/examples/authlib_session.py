#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Authenticate an Authlib session with assertions from assertd.

    TOKEN_URL=https://as.example/token python3 authlib_session.py GRANT
"""

import os
import sys

from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_qs
from authlib.integrations.requests_client import OAuth2Session

from assertd import AssertdError, Client


def session(client, grant):
    """Return a session that asks assertd for a fresh assertion whenever it needs
    a token. Its client_id is only a name: the assertion says who we are."""

    def private_key_jwt(_, method, uri, headers, body):
        signed = client.assertion(grant)
        credentials = [("client_assertion_type", signed.assertion_type), ("client_assertion", signed.assertion)]
        return uri, headers, add_params_to_qs(body or "", credentials)

    oauth = OAuth2Session(client_id=grant, token_endpoint_auth_method="assertd")
    oauth.register_client_auth_method(("assertd", private_key_jwt))
    return oauth


def main():
    try:
        with Client() as client:
            oauth = session(client, sys.argv[1])
            token = oauth.fetch_token(os.environ["TOKEN_URL"], grant_type="client_credentials")
    except (AssertdError, AuthlibBaseError, OSError, ValueError) as error:
        sys.exit(f"authlib_session.py: {error}")
    except (AttributeError, KeyError, TypeError):  # Authlib's, on JSON of another form
        sys.exit("authlib_session.py: the server's answer is not a token response")
    if not isinstance(token, dict) or "access_token" not in token:
        sys.exit("authlib_session.py: the answer has no access token")
    # A server need not say for how long.
    lasts = f" for {token['expires_in']} s" if "expires_in" in token else ""
    print(f"got a {token.get('token_type', 'bearer')} token{lasts}")


if __name__ == "__main__":
    main()
