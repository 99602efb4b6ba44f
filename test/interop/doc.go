// Package interop tests the daemon with third-party software: authorization
// servers that accept its assertions, JOSE libraries that verify them, and
// validators for its API description and configuration schema.
//
// Nothing is simulated. The tests build the daemon and assertctl from this
// checkout and run them as processes with keys on a SoftHSM token. The servers
// use HTTP on loopback and fetch the daemon's public keys by URL, as in
// production:
//
//   - Ory Fosite, in this process: client authentication and the JWT bearer
//     grant (RFC 7523 sections 2.2 and 2.1), also during a rotation.
//   - Ory Hydra, in a child process, with the build tag hydra: the same. Its
//     build takes minutes, so only `make interop-all` runs this one. Its
//     version is in test/hydra, a module of its own.
//   - npm's oidc-provider and jose, in a child process (node/): the same with a
//     certified provider, with and without FAPI 2.0.
//   - jwx, and Debian's python3-jwt and python3-jwcrypto (python/): all
//     algorithms and profiles.
//   - zitadel/oidc's provider, in this process: the JWT bearer grant and client
//     authentication.
//   - The clients of clouds: azidentity, MSAL, AWS's SDKs for Go and
//     JavaScript, Google's libraries for Go and Node, client-go's exec plugins,
//     ghinstallation. The clouds are servers in this process; they verify
//     assertions with go-oidc, by the issuer's discovery document.
//   - go-spiffe: a JWT-SVID, with the bundle from its endpoint.
//   - OpenSSH's sshd, and OpenSSL as CA and as TLS client: raw keys.
//   - kin-openapi: the API on the socket, checked against ipc/openapi.yaml.
//   - jsonschema: the configurations in examples/, checked against
//     docs/assertd.schema.json.
//
// This is a separate module to keep its dependencies out of assertd's. It has
// only tests. `make interop` in the root directory installs what they need and
// runs all but Hydra's. Tests fail if something is missing.
package interop
