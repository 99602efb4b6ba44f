// Package client talks to assertd over its Unix socket.
//
// It links neither cgo nor PKCS#11: the key stays in the HSM, behind the daemon,
// and a program that uses this package never sees it.
//
//	c, err := client.New(client.DefaultSocket)
//	…
//	assertion, err := c.Assert(ctx, ipc.AssertionRequest{Audience: "https://as.example"})
//
// What it offers, from the plain to the ready-made:
//
//   - [Client.Assert] gives a signed assertion; an assertion is used once, so ask
//     for one when it is needed and keep none.
//   - [Client.Token] makes a token request with a fresh assertion, in the form
//     that the grant's profile wants; [TokenSource] keeps the access token until
//     near its end. Package oauth2source makes it a golang.org/x/oauth2 source.
//   - [Client.Signer] is a [crypto.Signer] whose key is in the HSM, for TLS client
//     certificates, certificate requests, SSH and JOSE libraries.
//   - [Keeper] keeps a fresh assertion in a file for programs that read one.
//
// # Errors
//
// What the daemon refuses is an [*ipc.Problem]: errors.Is(err, ipc.CodeRateLimited)
// asks for its code, and its Detail says what to do. Apart from these there are
// [ErrUnavailable], [ErrNotAssertd], [ErrVersion], [ErrTokenEndpoint] and
// [ErrSignOptions], [ErrKeyChanged] of a signer.
//
// # Waiting and trying again
//
// Every call ends with its context. A 503, a daemon that restarts and a broken
// connection are met with one more attempt after a short wait; a refusal and a
// rate limit never are.
package client
