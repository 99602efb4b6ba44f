#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Gets an access token with curl: an assertion from assertd, then the token request.
#   ASSERTD_SOCKET=.assertd/assertd.sock TOKEN_URL=https://as.example/token ./token.sh
set -eu
socket=${ASSERTD_SOCKET:-/run/assertd/assertd.sock}

# The daemon identifies the caller and knows its grants: if there is only one, {}
# is a complete request.
answer=$(curl --silent --show-error --fail-with-body --unix-socket "$socket" \
  --header 'Content-Type: application/json' --data '{}' http://assertd/v1/assertions) ||
  { echo "$answer" >&2; exit 1; }
assertion=$(echo "$answer" | sed -n 's/.*"assertion":"\([^"]*\)".*/\1/p')
[ -n "$assertion" ] || { echo "token.sh: the answer has no assertion; is this the daemon's socket?" >&2; exit 1; }

if [ -z "${TOKEN_URL:-}" ]; then
  echo "got an assertion of ${#assertion} characters; set TOKEN_URL to trade it for a token"
  exit
fi

# Passed on standard input: other users can see command-line arguments.
answer=$(curl --silent --show-error --fail-with-body "$TOKEN_URL" --data @- <<REQUEST
grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=$assertion
REQUEST
) || { printf '%s\n' "$answer" >&2; exit 1; }
case $answer in
*'"access_token"'*) printf '%s\n' "$answer" ;;
*) printf '%s\n' "token.sh: the answer has no access token: $answer" >&2; exit 1 ;;
esac
