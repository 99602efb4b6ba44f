# SPDX-License-Identifier: Apache-2.0
"""Authentication for httpx. It needs the package httpx."""

from __future__ import annotations

import asyncio
from typing import AsyncGenerator, Generator

import httpx

from .token import TokenSource


class BearerAuth(httpx.Auth):
    """Sends an access token (RFC 6750), which it renews in time. It works with
    httpx.Client and httpx.AsyncClient:

    httpx.get("https://api.example/orders", auth=BearerAuth(tokens))
    """

    def __init__(self, tokens: TokenSource):
        self._tokens = tokens

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._tokens.token()
        request.headers["Authorization"] = f"Bearer {token.access_token}"
        response = yield request
        if response.status_code == 401:
            self._tokens.forget(token)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await asyncio.to_thread(self._tokens.token)
        request.headers["Authorization"] = f"Bearer {token.access_token}"
        response = yield request
        if response.status_code == 401:
            self._tokens.forget(token)
