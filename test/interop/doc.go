// Package interop holds the real daemon against what others have written:
// authorization servers that take its assertions, JOSE libraries that verify
// them, and validators of its API description and configuration schema.
//
// Everything in a test is the real thing. The daemon and assertctl are built
// from this checkout and run as processes, keys lie in a SoftHSM token, the
// servers speak HTTP over loopback, and they get the daemon's public keys by
// URL, as they would in production:
//
//   - Ory Fosite, in this process: client authentication and the JWT bearer
//     grant (RFC 7523 sections 2.2 and 2.1), also all through a rotation.
//   - npm's oidc-provider and jose, in a child process (node/): the same with
//     a certified provider, plain and as FAPI 2.0 asks for it.
//   - jwx, and Debian's python3-jwt and python3-jwcrypto (python/): every
//     algorithm and every profile.
//   - kin-openapi: the socket's API against ipc/openapi.yaml.
//   - jsonschema: the configurations of examples/ against docs/assertd.schema.json.
//
// This is a module of its own so that what it needs stays out of assertd's.
// It has only tests. `make test` in the root installs what they need and runs
// them; what is missing fails them.
package interop
