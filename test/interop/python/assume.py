"""Assumes a role with sdk/python, and prints the access key's ID.

    assume.py STS-URL ROLE
"""

import sys

from assertd import Client, TokenSource

url, role = sys.argv[1:]
with Client() as client:
    token = TokenSource(client, url, grant="aws", RoleArn=role, RoleSessionName="api").token()
result = token.response["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]
print(result["Credentials"]["AccessKeyId"])
