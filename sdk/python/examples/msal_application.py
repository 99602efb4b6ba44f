#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Authenticate MSAL with assertions from assertd, in place of a certificate.

    python3 msal_application.py TENANT CLIENT-ID GRANT

The grant's profile is entra-certificate, with this CLIENT-ID.
"""

import sys

import msal

from assertd import AssertdError, Client


def application(client, authority, client_id, grant, **options):
    """Return an application that asks assertd for a fresh assertion whenever it
    needs a token."""
    credential = {"client_assertion": client.callback(grant)}
    return msal.ConfidentialClientApplication(client_id, authority=authority, client_credential=credential, **options)


def main():
    tenant, client_id, grant = sys.argv[1:]
    try:
        with Client() as client:
            app = application(client, f"https://login.microsoftonline.com/{tenant}", client_id, grant)
            answer = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])
    except (AssertdError, OSError, ValueError) as error:
        sys.exit(f"msal_application.py: {error}")
    if "access_token" not in answer:
        sys.exit(f"msal_application.py: {answer.get('error')}: {answer.get('error_description')}")
    print(f"got a {answer['token_type']} token for {answer['expires_in']} s")


if __name__ == "__main__":
    main()
