package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/test/interop/authserver"
)

// awaitReady returns when the daemon can sign.
func awaitReady(ctx context.Context, socket string) error {
	c, err := client.New(socket)
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answer, err := c.Ready(ctx); err == nil && answer.Ready {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // the daemon's end says why
		}
	}
}

// greet prints commands to try.
func greet(out io.Writer, s settings, server *authserver.Server) {
	fmt.Fprintf(out, `
The playground is ready: a daemon in %[1]s, and an authorization server at
%[2]s that knows its keys. In another terminal, try:

  export ASSERTD_SOCKET=%[3]s
  export TOKEN_URL=%[4]s

  # an access token by client credentials, and an API that wants one
  %[5]s token --url $TOKEN_URL --scope read
  %[5]s call --url $TOKEN_URL %[6]s

  # any of the examples
  python3 examples/python/token.py
  node examples/node/token.mjs
  sh examples/curl/token.sh
  API_URL=%[6]s go run ./examples/go-oauth2
  CLIENT_ID=%[8]s SCOPE=read go run ./examples/go-azidentity

  # a token for somebody else, and a token bound to a key (DPoP)
  export ASSERTD_SOCKET=%[7]s
  %[5]s grants
  %[5]s token --url $TOKEN_URL --grant jwt-bearer --client-auth client-credentials
  %[5]s token --url $TOKEN_URL --grant client-credentials --dpop dpop
  %[5]s call --url $TOKEN_URL --grant client-credentials --dpop dpop %[6]s

  # what the server thinks of a token
  curl -d token=TOKEN %[2]s/introspect

Press Ctrl-C to stop. The next run uses the same keys; remove %[1]s to start over.

`, s.dir, server.Issuer(), filepath.Join(s.dir, "assertd.sock"), server.TokenURL(), s.assertctl(), server.APIURL(), moreSocket(s.dir), clientID)
}
