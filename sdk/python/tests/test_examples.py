"""Tests of the examples, against the daemon of test_live.py."""

import json
import os
import subprocess
import sys
import unittest
import urllib.parse
from pathlib import Path

from assertd import Client

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
import msal_application  # noqa: E402


class Answer:
    def __init__(self, status, document):
        self.status_code, self.text, self.headers = status, json.dumps(document), {}

    def raise_for_status(self):
        pass


class Entra:
    """The requests that MSAL sends to Microsoft Entra, which is out of reach."""

    authority = "https://login.microsoftonline.com/tenant"

    def __init__(self):
        self.forms = []

    def get(self, url, **_):
        base = self.authority + "/oauth2/v2.0"
        return Answer(
            200,
            {
                "issuer": self.authority + "/v2.0",
                "token_endpoint": base + "/token",
                "authorization_endpoint": base + "/authorize",
                "tenant_discovery_endpoint": self.authority + "/v2.0/.well-known/openid-configuration",
                "metadata": [],
            },
        )

    def post(self, url, data=None, **_):
        self.forms.append(dict(urllib.parse.parse_qsl(data)) if isinstance(data, str) else dict(data))
        return Answer(200, {"token_type": "Bearer", "access_token": f"token {len(self.forms)}", "expires_in": 0})


class Examples(unittest.TestCase):
    def run_example(self, name, *arguments, **environment):
        environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", **environment}
        command = [sys.executable, str(EXAMPLES / name), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def test_authlib(self):
        done = self.run_example("authlib_session.py", "bank")
        self.assertRegex(done.stdout, "^got a bearer token for [0-9]+ s\n$", done.stderr)

    def test_authlib_shows_refusals(self):
        done = self.run_example("authlib_session.py", "none")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "^authlib_session.py: The caller has no such grant: .*\n$")

    def test_authlib_shows_a_refusal_by_the_server(self):
        done = self.run_example("authlib_session.py", "stranger")
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "^authlib_session.py: invalid_request: .*\n$")

    def test_msal_asks_for_a_fresh_assertion_each_time(self):
        entra = Entra()
        with Client() as client:
            app = msal_application.application(
                client, entra.authority, "client", "bank", http_client=entra, validate_authority=False
            )
            for _ in range(2):
                self.assertIn("access_token", app.acquire_token_for_client(["https://graph.microsoft.com/.default"]))
        self.assertEqual({2}, {form["client_assertion"].count(".") for form in entra.forms})
        self.assertEqual(2, len({form["client_assertion"] for form in entra.forms}))


if __name__ == "__main__":
    unittest.main()
