package dev

import "fmt"

func softhsmConf(l Layout) []byte {
	return fmt.Appendf(nil, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", l.Tokens)
}

// HSM is the configuration's section about the directory's token. It quotes
// paths, since the developer chooses the name of the directory.
func (l Layout) HSM(module string) string {
	return fmt.Sprintf(`hsm:
  module: %q
  token: {label: %s}
  pin: {file: %q}
  environment: {SOFTHSM2_CONF: %q}
`, module, TokenLabel, l.PIN, l.SoftHSMConf)
}

// configuration returns a developer's initial configuration.
func configuration(l Layout, module string, uid int) []byte {
	return fmt.Appendf(nil, `# Created by "assertd dev". Edit it as you like: later runs keep it.
# docs/configuration.md describes every setting.
%s
keys:
  %s: {alg: ES256, use: assertion}
  %s: {alg: ES256, use: raw}
  %s: {alg: RS256, use: raw, hashes: [SHA-256, SHA-384, SHA-512], paddings: [pkcs1v15, pss]}
  %s: {alg: EdDSA, use: raw}
  %s: {alg: EdDSA, use: raw}

clients:
  - name: developer
    match: {uid: %d}
    grants:
      - name: example
        key: %s
        profile: private_key_jwt
        client_id: example-client
        audiences: [%s]
        lifetime: {default: 60s, max: 300s}
        claims: {allow: {scope: [read, write]}}
        rate: [{limit: 10000, per: 1s}]   # more than this machine signs, for assertctl bench
      - {name: raw, key: %s}
      - {name: raw-rsa, key: %s}
      - {name: raw-ed25519, key: %s}

listen:
  - {socket: %q, mode: "0600"}

operator: {socket: %q}
audit: {file: %q, checkpoint_key: %s}
`, l.HSM(module), KeySet, RawKeySet, RSAKeySet, EdKeySet, AuditKey, uid, KeySet, Audience, RawKeySet, RSAKeySet, EdKeySet, l.Socket, l.Operator, l.Audit, AuditKey)
}
