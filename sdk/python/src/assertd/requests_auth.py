# SPDX-License-Identifier: Apache-2.0
"""Authentication for requests. It needs the package requests."""

from __future__ import annotations

import requests.auth

from .token import TokenSource


class BearerAuth(requests.auth.AuthBase):
    """Sends an access token (RFC 6750), which it renews in time:

    requests.get("https://api.example/orders", auth=BearerAuth(tokens))
    """

    def __init__(self, tokens: TokenSource):
        self._tokens = tokens

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._tokens.token()
        request.headers["Authorization"] = f"Bearer {token.access_token}"

        def rejected(response: requests.Response, **_: object) -> None:
            if response.status_code == 401:
                self._tokens.forget(token)

        request.register_hook("response", rejected)  # type: ignore[no-untyped-call]
        return request
