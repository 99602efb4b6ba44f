package main

import (
	"context"
	"io"
	"path/filepath"
	"text/template"
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

// places are what the commands to try name.
type places struct {
	Dir, Assertctl         string
	Simple, More, CA       string // files
	Issuer, TokenURL, API  string
	Secure, CertificateURL string // with TLS
	ClientID, TLSClientID  string
}

var greeting = template.Must(template.New("greeting").Parse(`
The playground is ready: a daemon in {{.Dir}}, and an authorization server at
{{.Issuer}} that knows its keys. In another terminal, try:

  export ASSERTD_SOCKET={{.Simple}}
  export TOKEN_URL={{.TokenURL}}

  # an access token by client credentials, and an API that wants one
  {{.Assertctl}} token --url $TOKEN_URL --scope read
  {{.Assertctl}} call --url $TOKEN_URL {{.API}}

  # any of the examples
  python3 examples/python/token.py
  node examples/node/token.mjs
  sh examples/curl/token.sh
  API_URL={{.API}} go run ./examples/go-oauth2
  CLIENT_ID={{.ClientID}} SCOPE=read go run ./examples/go-azidentity

  # Authlib, and MSAL over TLS (apt-get install python3-authlib python3-msal)
  PYTHONPATH=sdk/python/src AUTHLIB_INSECURE_TRANSPORT=1 \
    python3 sdk/python/examples/authlib_session.py client-credentials
  PYTHONPATH=sdk/python/src REQUESTS_CA_BUNDLE={{.CA}} SCOPE=read \
    python3 sdk/python/examples/msal_application.py {{.Secure}}/tenant {{.ClientID}} client-credentials

  # a token for somebody else, and a token bound to a key (DPoP)
  export ASSERTD_SOCKET={{.More}}
  {{.Assertctl}} grants
  {{.Assertctl}} token --url $TOKEN_URL --grant jwt-bearer --client-auth client-credentials
  {{.Assertctl}} token --url $TOKEN_URL --grant client-credentials --dpop dpop
  {{.Assertctl}} call --url $TOKEN_URL --grant client-credentials --dpop dpop {{.API}}

  # a token bound to a certificate whose key is in the HSM (mutual TLS)
  TOKEN_URL={{.Secure}}/token API_URL={{.Secure}}/api CERTIFICATE_URL={{.CertificateURL}} \
    CA_FILE={{.CA}} CLIENT_ID={{.TLSClientID}} go run ./examples/go-mtls

  # what the server thinks of a token
  curl -d token=TOKEN {{.Issuer}}/introspect

Press Ctrl-C to stop. The next run uses the same keys; remove {{.Dir}} to start over.

`))

// greet prints commands to try.
func greet(out io.Writer, s settings, server *authserver.Server) error {
	return greeting.Execute(out, places{
		Dir: s.dir, Assertctl: s.assertctl(),
		Simple: filepath.Join(s.dir, "assertd.sock"), More: moreSocket(s.dir), CA: caFile(s.dir),
		Issuer: server.Issuer(), TokenURL: server.TokenURL(), API: server.APIURL(),
		Secure: server.SecureIssuer(), CertificateURL: server.CertificateURL(),
		ClientID: clientID, TLSClientID: tlsClientID,
	})
}
