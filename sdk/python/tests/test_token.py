"""Tests of what a usual token endpoint doesn't do, with a daemon and an endpoint of
the test's own."""

import json
import os
import subprocess
import sys
import threading
import time
import traceback
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

from assertd import Client, TokenError, TokenSource
from test_faults import SIGNED, Server, response

GRANTED = '{"access_token":"t","token_type":"bearer","expires_in":600}'


def signed(send, assertion="a.b.c"):
    return response(200, SIGNED.replace("custom", send).replace("a.b.c", assertion))


class Endpoint(unittest.TestCase):
    def setUp(self):
        for name, value in (("_PAUSE", 0.01), ("_BACKOFF", (0.0, 0.0))):
            patch = mock.patch(f"assertd.token.{name}", value)
            patch.start()
            self.addCleanup(patch.stop)

    def source(self, *answers, daemon=None, **kwargs):
        """Return a token source with an endpoint that gives these answers, each a
        status, a body and headers. A body of None breaks the connection; a
        function writes the body itself."""
        self.got, left = [], list(answers)
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                got.append((self.headers, self.rfile.read(int(self.headers["Content-Length"])).decode()))
                status, body, headers = left.pop(0)
                if body is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if callable(body):
                    body(self.wfile)
                else:
                    self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        endpoint = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=endpoint.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(endpoint.server_close)
        self.addCleanup(endpoint.shutdown)
        client = Client(Server(self, *(daemon or [signed("client_assertion", f"a.b.{n}") for n in range(9)])).path)
        self.addCleanup(client.close)
        return TokenSource(client, f"http://127.0.0.1:{endpoint.server_port}/token", **kwargs)

    def forms(self):
        return [dict(urllib.parse.parse_qsl(text)) for _, text in self.got]

    def test_reasons(self):
        for status, body, error, description in (
            (200, '{"error":"invalid_client","error_description":"no such key"}', "invalid_client", "no such key"),
            (400, '{"error":"invalid_client"}', "invalid_client", ""),
            (403, '{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}', "PERMISSION_DENIED", "denied"),
            (401, '{"errorCode":"E0000011","errorSummary":"Invalid token","errorCauses":[{"errorSummary":"old"}]}', "E0000011", "Invalid token: old"),
            (400, '[{"errorCode":"INVALID_SESSION","message":"gone"}]', "INVALID_SESSION", "gone"),
            (400, '{"errors":["permission denied"]}', "no access_token in the answer with HTTP 400", "permission denied"),
            (400, '{"__type":"ExpiredToken","message":"old"}', "ExpiredToken", "old"),
            (403, "<ErrorResponse><Error><Code>Denied</Code><Message>no</Message></Error></ErrorResponse>", "Denied", "no"),
            (403, '<e:Envelope xmlns:e="u"><e:Body><e:Fault><faultcode>c</faultcode><faultstring>s</faultstring></e:Fault></e:Body></e:Envelope>', "c", "s"),
            (502, "<html><head><title>Bad Gateway</title></head></html>", 'the answer is a web page titled "Bad Gateway"', "HTTP 502; check the URL of the token endpoint"),
            (400, '{"error":"a.b.0 \\u001b[2J\\u202e"}', "[assertion]  [2J ", ""),
            (200, "[]", "no access_token in the answer with HTTP 200", ""),
            (200, "null", "the answer is not JSON", "HTTP 200; check the URL of the token endpoint"),
            (200, "[" * 100000, "the answer is not JSON", "HTTP 200; check the URL of the token endpoint"),
            (200, "<html><title>Sign\n in</title>", 'the answer is a web page titled "Sign in"', "HTTP 200; check the URL of the token endpoint"),
            (200, '{"access_token":"a\\nb"}', "the access token has characters that no token may have", "RFC 6749, appendix A.12"),
        ):
            with self.assertRaises(TokenError, msg=body[:200]) as refused:
                self.source(*[(status, body, {})] * 2).token()
            self.assertEqual((error, description, status), (refused.exception.error, refused.exception.description, refused.exception.status))

    def test_reasons_that_are_not_json(self):
        check = "check the URL of the token endpoint"
        for status, headers, body, want in (
            (400, {"Content-Type": "text/plain"}, "the audience is wrong\n", "no access_token in the answer with HTTP 400: the audience is wrong"),
            (403, {}, "try later", "no access_token in the answer with HTTP 403: try later"),
            (400, {"Content-Type": "application/x-www-form-urlencoded"}, "error=invalid_client&error_description=bad+key", "invalid_client: bad key"),
            (401, {"WWW-Authenticate": 'Bearer error="invalid_client", error_description="unknown kid"'}, "", "invalid_client: unknown kid"),
            (200, {"Content-Type": "text/plain"}, "access_token=secret", f"the answer is not JSON: HTTP 200; {check}"),
            (400, {}, '{"error":"cut o', f"the answer is not JSON: HTTP 400; {check}"),
            (400, {"Content-Type": "text/html"}, "<p>no title", f"the answer is not JSON: HTTP 400; {check}"),
        ):
            with self.assertRaises(TokenError) as refused:
                self.source((status, body, headers)).token()
            self.assertEqual((want, status), (str(refused.exception), refused.exception.status))

    def test_an_answer_that_is_cut_off_is_repeated(self):
        source = self.source((200, '{"acc', {"Content-Length": "500"}), (200, GRANTED, {}))
        self.assertEqual("t", source.token().access_token)

    def test_an_answer_without_end_ends(self):
        def drip(out):
            try:
                for _ in range(200):
                    out.write(b" ")
                    time.sleep(0.05)
            except OSError:
                pass  # the client has had enough

        source = self.source((200, drip, {}), timeout=0.3)
        with self.assertRaises(TokenError) as refused:
            source.token()
        self.assertIsInstance(refused.exception.__cause__, TimeoutError)

    def test_http_goes_through_no_proxy(self):
        source = self.source((200, GRANTED, {}))
        program = "import sys, assertd; print(assertd.TokenSource(assertd.Client(sys.argv[1]), sys.argv[2]).token().access_token)"
        found = subprocess.run(
            [sys.executable, "-c", program, source._client.path, source._url],
            env={**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": "", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(("t\n", ""), (found.stdout, found.stderr))

    def test_http_is_for_loopback(self):
        client = Client("/nowhere")
        for host in "localhost", "127.0.0.1", "127.8.9.10", "[::1]":
            TokenSource(client, f"http://{host}:8080/token")
        for url in "http://as.example", "http://127.0.0.1.example", "http://128.0.0.1", "http://", "ftp://127.0.0.1", "as.example":
            with self.assertRaisesRegex(ValueError, "want https"):
                TokenSource(client, url)

    def test_unusual_tokens(self):
        for status, body in (
            (201, GRANTED),
            (200, "\ufeff" + GRANTED),
            (200, GRANTED.replace("600", '"600"')),
            (200, GRANTED.replace("600", "600.5")),
            (200, GRANTED.replace('"bearer"', '"bearer","scope":["read","write"]')),
        ):
            token = self.source((status, body, {})).token()
            self.assertEqual("t", token.access_token)
            self.assertAlmostEqual(time.time() + 600, token.expires_at, delta=60)

    def test_lifetimes_that_are_none(self):
        for lifetime in ('"soon"', "null", "-1", "0", "1e400", "9" * 400, "[]"):
            source = self.source(*[(200, GRANTED.replace("600", lifetime), {})] * 2)
            self.assertIsNone(source.token().expires_at, lifetime)
            source.token()
            self.assertEqual(2, len(self.got), f"a token without an end is kept: {lifetime}")

    def test_short_tokens_are_kept(self):
        source = self.source((200, GRANTED.replace("600", "50"), {}))
        self.assertIs(source.token(), source.token())

    def test_a_failure_is_repeated_once_with_another_assertion(self):
        for failure in (503, "", {}), (502, "<h1>Bad Gateway", {}), (0, None, {}):
            source = self.source(failure, (200, GRANTED, {}))
            self.assertEqual("t", source.token().access_token)
            self.assertEqual(["a.b.0", "a.b.1"], [form["client_assertion"] for form in self.forms()])

    def test_not_repeated(self):
        for failure, parameters in (
            ((400, "{}", {}), {}),
            ((500, "{}", {}), {}),
            ((503, "{}", {"Retry-After": "60"}), {}),
            ((503, "{}", {}), {"grant_type": "refresh_token"}),
        ):
            with self.assertRaises(TokenError):
                self.source(failure, **parameters).token()
            self.assertEqual(1, len(self.got))

    def test_the_servers_wait_is_kept(self):
        source = self.source((503, "{}", {"Retry-After": "60"}))
        for _ in range(3):
            with self.assertRaises(TokenError) as refused:
                source.token()
        self.assertEqual((60.0, 1), (refused.exception.retry_after, len(self.got)))

    def test_a_shared_failure_does_not_grow(self):
        source = self.source((503, "{}", {"Retry-After": "60"}))
        lengths = []
        for _ in range(5):
            try:
                source.token()
            except TokenError as error:  # assertRaises would clear the traceback
                lengths.append(len(traceback.extract_tb(error.__traceback__)))
        self.assertEqual(1, len(set(lengths[1:])), lengths)

    def test_redirects(self):
        with self.assertRaisesRegex(TokenError, "redirects: to https://other.example/x; use that URL"):
            self.source((302, "", {"Location": "https://user:secret@other.example/x?secret=1"})).token()
        with self.assertRaisesRegex(TokenError, "redirects: to something that is not a URL") as refused:
            self.source((307, "", {"Location": "http://[bad"})).token()
        self.assertEqual((307, 1), (refused.exception.status, len(self.got)))

    def test_client_authentication(self):
        source = self.source(
            (200, GRANTED, {}),
            daemon=[signed("assertion"), signed("client_assertion", "d.e.f")],
            grant="batch",
            client_auth="bank",
        )
        source.token()
        self.assertEqual(["a.b.c", "d.e.f"], [self.forms()[0][name] for name in ("assertion", "client_assertion")])
        for daemon, reason in (
            ([signed("client_assertion")] * 2, "leaves no room"),
            ([signed("assertion")] * 2, "does not authenticate a client"),
        ):
            with self.assertRaisesRegex(ValueError, reason):
                self.source(daemon=daemon, client_auth="bank").token()

    def test_login_at_vault(self):
        answer = {"auth": {"client_token": "hvs.1", "lease_duration": 600}}
        source = self.source((200, json.dumps(answer), {}), daemon=[signed("vault_login")], role="reader", namespace="team")
        token = source.token()
        self.assertEqual("hvs.1", token.access_token)
        self.assertIs(token, source.token())
        headers, body = self.got[0]
        self.assertEqual({"jwt": "a.b.c", "role": "reader"}, json.loads(body))
        self.assertEqual(("true", "team"), (headers["X-Vault-Request"], headers["X-Vault-Namespace"]))


if __name__ == "__main__":
    unittest.main()
