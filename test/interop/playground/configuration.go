package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assertd/assertd/internal/dev"
)

// The names that daemon and server share.
const (
	clientID    = "playground"
	tlsClientID = "playground-tls"
	issuer      = "https://issuer.playground.example"
	dpopKeySet  = "dpop"
)

// moreSocket is the socket with a choice of grants.
func moreSocket(dir string) string { return filepath.Join(dir, "more.sock") }

// caFile is the certificate of the authorization server's CA.
func caFile(dir string) string { return filepath.Join(dir, "ca.pem") }

// configure writes the daemon's configuration unless there is one.
func configure(layout dev.Layout, s settings, module, tokenURL string) error {
	text, err := os.ReadFile(layout.Config)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(layout, s, module, tokenURL)
	case err != nil:
		return err
	case !bytes.Contains(text, []byte(tokenURL)) || !bytes.Contains(text, []byte(s.jwksAddress)):
		return fmt.Errorf("%s was made for other addresses; use those, another --dir, or remove the directory", layout.Config)
	}
	return nil
}

func create(layout dev.Layout, s settings, module, tokenURL string) error {
	if err := os.MkdirAll(layout.Dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(layout.Config, configuration(layout, s, module, tokenURL), 0o600)
}

func configuration(layout dev.Layout, s settings, module, tokenURL string) []byte {
	return fmt.Appendf(nil, `# Created by "make playground". Edit it as you like: later runs keep it.
# docs/configuration.md describes every setting.
%s
keys:
  %s: {alg: ES256, use: assertion}
  %s: {alg: ES256, use: assertion}
  %s: {alg: ES256, use: raw}

clients:
  # There is one grant on assertd.sock, so a request needs no names.
  - name: simple
    match: {uid: %[5]d}
    grants:
      - name: client-credentials
        key: %[2]s
        profile: private_key_jwt
        client_id: %[6]s
        audiences: [%[7]s]

  # more.sock has a choice of grants.
  - name: more
    match: {uid: %[5]d}
    grants:
      - name: client-credentials
        key: %[2]s
        profile: private_key_jwt
        client_id: %[6]s
        audiences: [%[7]s]
      - name: jwt-bearer                      # a token for somebody else
        key: %[2]s
        profile: jwt-bearer
        issuer: %[8]s
        subject: alice
        audiences: [%[7]s]
      - name: dpop                            # a token that only this key can use
        key: %[3]s
        profile: dpop
        claims: {allow: {htm: any, htu: any, ath: any, nonce: any}}
      - {name: raw, key: %[4]s}

listen:
  - {socket: %[9]q, mode: "0600", client: simple}
  - {socket: %[10]q, mode: "0600", client: more}

operator: {socket: %[11]q}
audit: {file: %[12]q}
jwks: {listen: %[13]q}
`, layout.HSM(module), dev.KeySet, dpopKeySet, dev.RawKeySet,
		os.Getuid(), clientID, tokenURL, issuer, layout.Socket, moreSocket(layout.Dir), layout.Operator, layout.Audit, s.jwksAddress)
}
