"""Verifies assertions with python3-jwt and with python3-jwcrypto.

Reads one JSON document from standard input, {"jwks": {...}, "specimens": [...]}.
Prints one line for each failure. If there is none, prints the number of
verifications and exits with 0.
"""

import json
import sys

import jwt as pyjwt
from jwcrypto import jwk, jwt as jwcrypto_jwt
from jwcrypto.common import JWException, base64url_decode

# RFC 9864 renamed EdDSA to Ed25519 for these keys. Debian's libraries know only the old name.
UNKNOWN_ALGORITHMS = {"Ed25519"}


def public_key(specimen, keys):
    """Returns the receiver's key: from the JWKS, or from the header of a DPoP proof."""
    header = json.loads(base64url_decode(specimen["assertion"].split(".")[0]))
    return header.get("jwk") or keys[specimen["kid"]]


def by_pyjwt(specimen, key, assertion):
    return pyjwt.decode(
        assertion,
        key=pyjwt.PyJWK(key, algorithm=specimen["alg"]).key,
        algorithms=[specimen["alg"]],
        audience=specimen["audience"] or None,
        options={"require": ["iat"] if specimen["proof"] else ["iat", "exp"]},
    )


def by_jwcrypto(specimen, key, assertion):
    token = jwcrypto_jwt.JWT(algs=[specimen["alg"]])
    token.leeway = 1  # it compares whole seconds
    if specimen["audience"]:
        token = jwcrypto_jwt.JWT(algs=[specimen["alg"]], check_claims={"aud": specimen["audience"]})
    token.deserialize(assertion, jwk.JWK(**key))
    return json.loads(token.claims)


def refuses(verify, specimen, key, errors):
    try:
        verify(specimen, key, specimen["spoiled"])
    except errors:
        return True
    return False


def main():
    given = json.load(sys.stdin)
    keys = {key["kid"]: key for key in given["jwks"]["keys"]}
    made, wrong = 0, 0
    for specimen in given["specimens"]:
        if specimen["alg"] in UNKNOWN_ALGORITHMS:
            continue
        key = public_key(specimen, keys)
        for name, verify, errors in (
            ("python3-jwt", by_pyjwt, pyjwt.InvalidTokenError),
            ("python3-jwcrypto", by_jwcrypto, JWException),
        ):
            made += 1
            try:
                claims = verify(specimen, key, specimen["assertion"])
                problem = None if ("aud" in claims) == bool(specimen["audience"]) else "aud is missing or unexpected"
            except errors as error:
                problem = f"{type(error).__name__}: {error}"
            if problem is None and not refuses(verify, specimen, key, errors):
                problem = "accepts the claims of another assertion"
            if problem is not None:
                wrong += 1
                print(f"{name}: {specimen['name']} ({specimen['alg']}): {problem}")
    if wrong == 0:
        print(made)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
