// Package client talks to assertd over its Unix socket.
//
// The key stays in the HSM, behind the daemon; a program that uses this package
// never sees it, and links neither cgo nor PKCS#11.
//
//	c, err := client.New(client.DefaultSocket)
//	…
//	assertion, err := c.Assert(ctx, ipc.AssertionRequest{Audience: "https://as.example"})
//
// From low level to high level:
//
//   - [Client.Assert] returns a signed assertion. Ask for one when you need it,
//     use it once, and do not cache it.
//   - [Client.Token] makes a token request with a fresh assertion, in the form
//     that the grant's profile calls for. [TokenSource] caches the access token
//     until shortly before it expires. Package oauth2source adapts it to
//     golang.org/x/oauth2.
//   - [Client.Signer] returns a [crypto.Signer] whose key is in the HSM, for
//     TLS client certificates, certificate requests, SSH and JOSE libraries.
//   - [Keeper] keeps a fresh assertion in a file, for programs that read one.
//
// # Errors
//
// A refusal by the daemon is an [*ipc.Problem]. Test for its code with
// errors.Is(err, ipc.CodeRateLimited); its Detail says what to do. The other
// kinds are [ErrUnavailable], [ErrNotAssertd], [ErrVersion], [ErrWrongSocket],
// [ErrTokenEndpoint] and [ErrRegistration], and from a signer [ErrSignOptions]
// and [ErrKeyChanged].
//
// # Contexts and retries
//
// Every call ends with its context. After a 503, or if the daemon was
// restarting, the client retries once, after a short delay. It never retries a
// refusal or a rate limit, nor a request for a signature whose connection broke
// after it was sent: the daemon may have signed. That error matches
// [ErrUnavailable].
//
// # Compatibility
//
// This package and package ipc follow semantic versioning: within a major
// version, nothing exported is removed or changes its meaning. Struct fields,
// constants and error codes may be added, so use keyed struct literals.
package client
