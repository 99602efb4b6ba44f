"""Tests against a daemon: test/interop starts it and says where it is.

    ASSERTD_SOCKET  its socket
    TOKEN_URL       the token endpoint of an authorization server

The policy has the grants bank (client bank, audience TOKEN_URL, claim scope),
jwt-bearer, one-a-minute and raw, of the key sets assertions and raw.
"""

import asyncio
import hashlib
import json
import os
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import jwt
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from assertd import AssertionRequest, AsyncClient, Client, Problem, TokenError, TokenSource, Unavailable
from assertd import httpx_auth, requests_auth

TOKEN_URL = os.environ["TOKEN_URL"]


def verified(signed, document):
    """Return the claims of an assertion that a key of the JWK set has signed."""
    [key] = [key for key in document["keys"] if key["kid"] == signed.kid]
    return jwt.decode(signed.assertion, jwt.PyJWK(key).key, algorithms=[signed.alg], audience=TOKEN_URL)


class Live(unittest.TestCase):
    def setUp(self):
        self.client = Client()
        self.addCleanup(self.client.close)

    def test_assertion(self):
        signed = self.client.assertion("bank", claims={"scope": "read"}, lifetime=30)
        claims = verified(signed, self.client.jwks())
        self.assertEqual(("bank", "read"), (claims["iss"], claims["scope"]))
        self.assertAlmostEqual(time.time() + 30, claims["exp"], delta=20)
        self.assertEqual((claims["jti"], claims["exp"]), (signed.jti, signed.expires_at))
        self.assertNotIn(signed.assertion, repr(signed))

    def test_refusal(self):
        with self.assertRaises(Problem) as refused:
            self.client.assertion("bank", audience="https://evil.example")
        problem = refused.exception
        self.assertEqual(("audience-not-allowed", 403), (problem.code, problem.status))
        self.assertIn("https://evil.example", str(problem))
        self.assertEqual(24, len(problem.request_id))

    def test_rate_limit(self):
        self.client.assertion("one-a-minute")
        with self.assertRaises(Problem) as refused:
            self.client.assertion("one-a-minute")
        self.assertEqual("rate-limited", refused.exception.code)
        self.assertGreater(refused.exception.retry_after, 1)

    def test_batch(self):
        good, bad = self.client.batch([AssertionRequest("bank"), AssertionRequest("none")])
        verified(good, self.client.jwks())
        self.assertEqual("grant-not-found", bad.code)
        many = self.client.batch([AssertionRequest("bank")] * 64)  # too long for one TCP-like read
        self.assertEqual(64, len({signed.jti for signed in many}))

    def test_sign(self):
        [key] = self.client.keys()
        digest = hashlib.sha256(b"message").digest()
        signed = self.client.sign(key.key, "SHA-256", digest)
        self.assertEqual(key.kid, signed.kid)
        public = serialization.load_pem_public_key(key.public_key.encode())
        public.verify(signed.signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def test_grants(self):
        grants = self.client.grants()
        self.assertEqual((os.getuid(), os.getpid()), (grants.caller.uid, grants.caller.pid))
        bank = next(grant for grant in grants.grants if grant.name == "bank")
        self.assertEqual(("private_key_jwt", (TOKEN_URL,)), (bank.profile, bank.audiences))

    def test_state(self):
        self.assertTrue(self.client.version())
        self.assertTrue(self.client.ready().ready)

    def test_threads_share_a_client(self):
        seen, failures = [], []

        def work():
            try:
                seen.extend(self.client.assertion("bank").jti for _ in range(20))
            except Exception as error:  # the assertion below shows it
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        self.assertEqual(160, len(set(seen)))

    def test_asyncio(self):
        async def work():
            async with AsyncClient() as client:
                signed = await asyncio.gather(*(client.assertion("bank") for _ in range(40)))
                document = await client.jwks()
                for one in signed:
                    verified(one, document)
                self.assertEqual(40, len({one.jti for one in signed}))
                self.assertEqual(64, len(await client.batch([AssertionRequest("bank")] * 64)))
                [key] = await client.keys()
                self.assertEqual(key.kid, (await client.sign(key.key, "SHA-256", bytes(32))).kid)
                self.assertTrue((await client.ready()).ready)
                self.assertEqual(3, (await client.callback("bank")()).count(".") + 1)
                with self.assertRaises(Problem) as refused:
                    await client.assertion("none")
                self.assertEqual("grant-not-found", refused.exception.code)
                self.assertEqual("grants", "grants" if (await client.grants()).grants else "")

        asyncio.run(work())

    def test_cancelled_call_leaves_a_usable_client(self):
        async def work():
            async with AsyncClient() as client:
                task = asyncio.create_task(client.assertion("bank"))
                await asyncio.sleep(0)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                await client.assertion("bank")

        asyncio.run(work())


class Resource(BaseHTTPRequestHandler):
    """An API that shows the token it got."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.headers["Authorization"]).encode())

    def log_message(self, *_):
        pass


class Tokens(unittest.TestCase):
    def setUp(self):
        self.client = Client()
        self.addCleanup(self.client.close)

    def source(self, **kwargs):
        return TokenSource(self.client, TOKEN_URL, **kwargs)

    def test_client_credentials(self):
        source = self.source(grant="bank", scope="read")
        token = source.token()
        self.assertIs(token, source.token())
        source.forget(token)
        self.assertNotEqual(token.access_token, source.token().access_token)
        self.assertLess(time.time(), token.expires_at)
        self.assertNotIn(token.access_token, repr(token))

    def test_jwt_bearer(self):
        self.assertTrue(self.source(grant="jwt-bearer", scope="read").token().access_token)

    def test_refusal_reaches_the_caller(self):
        source = self.source(grant="bank", scope="nothing")
        with self.assertRaises(TokenError) as refused:
            source.token()
        self.assertEqual(("invalid_scope", 400), (refused.exception.error, refused.exception.status))

    def test_auth_of_requests_and_httpx(self):
        server = HTTPServer(("127.0.0.1", 0), Resource)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}/"
        source = self.source(grant="bank")
        want = f"Bearer {source.token().access_token}"
        self.assertEqual(want, requests.get(url, auth=requests_auth.BearerAuth(source), timeout=10).json())
        self.assertEqual(want, httpx.get(url, auth=httpx_auth.BearerAuth(source), trust_env=False).json())

        async def work():
            async with httpx.AsyncClient(auth=httpx_auth.BearerAuth(source), trust_env=False) as session:
                self.assertEqual(want, (await session.get(url)).json())

        asyncio.run(work())


class NoDaemon(unittest.TestCase):
    def test_no_socket(self):
        with self.assertRaisesRegex(Unavailable, "No such file or directory; is the daemon running"):
            Client("/nonexistent/assertd.sock").assertion()

    def test_bad_paths(self):
        for path in ("@abstract", "/" + "x" * 107):
            with self.assertRaises(ValueError):
                Client(path)

    def test_plain_http_is_refused(self):
        with self.assertRaisesRegex(ValueError, "want https"):
            TokenSource(Client(), "http://as.example/token")


if __name__ == "__main__":
    unittest.main()
