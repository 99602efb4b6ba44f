"""Tests of the credentials of an STS, with a daemon and a token endpoint of the
test's own."""

import json
import threading
import unittest
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

from assertd import Client, TokenError, TokenSource
from test_faults import SIGNED, Server, response

FEDERATED = response(200, SIGNED.replace("custom", "web_identity"))
ASSUMED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>'
    "<Credentials><AccessKeyId>AKIA</AccessKeyId><SessionToken>a&#43;b&amp;c</SessionToken>"
    "<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>"
    "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
)


class Credentials(unittest.TestCase):
    def source(self, body, status=200, media_type="text/xml"):
        """Return a token source with an endpoint that has one answer."""
        forms = self.forms = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                forms.append(dict(urllib.parse.parse_qsl(text)))
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        endpoint = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=endpoint.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(endpoint.server_close)
        self.addCleanup(endpoint.shutdown)
        client = Client(Server(self, FEDERATED).path)
        self.addCleanup(client.close)
        return TokenSource(client, f"http://127.0.0.1:{endpoint.server_port}", RoleArn="arn")

    def test_credentials(self):
        found = {"AccessKeyId": "AKIA", "SessionToken": "a+b&c", "Expiration": 4102444800}
        answer = {"AssumeRoleWithWebIdentityResponse": {"AssumeRoleWithWebIdentityResult": {"Credentials": found}}}
        for body in ASSUMED, json.dumps(answer):
            source = self.source(body)
            token = source.token()
            self.assertIs(token, source.token())
            got = token.response["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]["Credentials"]
            self.assertEqual(("AKIA", "a+b&c"), (got["AccessKeyId"], got["SessionToken"]))
            self.assertEqual(("", 4102444800.0), (token.access_token, token.expires_at))
            want = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "WebIdentityToken": "a.b.c", "RoleArn": "arn"}
            self.assertEqual([want], self.forms)

    def test_refusals(self):
        xml = "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>a.b.c is old</Message></Error></ErrorResponse>"
        for status, body, error, description in (
            (400, xml, "ExpiredTokenException", "[assertion] is old"),
            (400, '{"Error":{"Code":"InvalidIdentityToken","Message":"no"}}', "InvalidIdentityToken", "no"),
            (200, "{}", "no credentials in the answer with HTTP 200", ""),
            (200, "<p>hello", "the answer is not JSON", "HTTP 200; check the URL of the token endpoint"),
            (200, '<!DOCTYPE a [<!ENTITY b "c">]>' + ASSUMED[39:], "the answer is not JSON", "HTTP 200; check the URL of the token endpoint"),
        ):
            with self.assertRaises(TokenError) as refused:
                self.source(body, status).token()
            self.assertEqual((error, description, status), (refused.exception.error, refused.exception.description, refused.exception.status))


if __name__ == "__main__":
    unittest.main()
