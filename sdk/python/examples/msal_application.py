#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Authenticate MSAL with assertions from assertd, in place of a certificate.

    python3 msal_application.py TENANT CLIENT-ID GRANT

The grant's profile is entra-certificate, with this CLIENT-ID. In place of the
tenant you can give a whole authority, such as https://as.example/tenant. SCOPE
is for a server other than Entra.
"""

import logging
import os
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
    logging.getLogger("msal").setLevel(logging.CRITICAL)  # it also logs what it raises
    # MSAL asks Microsoft about an authority that it does not know, unless told not to.
    own = tenant.startswith("https://")
    authority = tenant if own else f"https://login.microsoftonline.com/{tenant}"
    scope = os.environ.get("SCOPE", "https://graph.microsoft.com/.default")
    try:
        with Client() as client:
            app = application(client, authority, client_id, grant, instance_discovery=not own)
            answer = app.acquire_token_for_client([scope])
    except (AssertdError, OSError, ValueError) as error:
        sys.exit(f"msal_application.py: {error}")
    except (AttributeError, KeyError, TypeError):  # MSAL's, on JSON of another form
        sys.exit("msal_application.py: the server's answer is not a token response")
    if "access_token" not in answer:
        said = [answer.get("error"), answer.get("error_description")]
        reason = ": ".join(text for text in said if isinstance(text, str))
        sys.exit(f"msal_application.py: {reason or 'the answer has no access token'}")
    # A server need not say for how long.
    lasts = f" for {answer['expires_in']} s" if "expires_in" in answer else ""
    print(f"got a {answer.get('token_type', 'bearer')} token{lasts}")


if __name__ == "__main__":
    main()
