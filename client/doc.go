// Package client talks to assertd over its Unix socket.
//
// It links neither cgo nor PKCS#11: the key stays in the HSM, behind the daemon,
// and a program that uses this package never sees it.
//
//	c, err := client.New("/run/assertd/assertd.sock")
//	…
//	assertion, err := c.Assert(ctx, ipc.AssertionRequest{Audience: "https://as.example"})
//
// A refusal is an *ipc.Problem: errors.Is(err, ipc.CodeRateLimited) asks for its
// code, and its Detail says what to do.
package client
