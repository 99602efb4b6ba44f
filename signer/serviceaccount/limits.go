package serviceaccount

import (
	"fmt"
	"time"

	"github.com/assertd/assertd/ipc"
)

// MinExpiration is the shortest maximum lifetime that kube-apiserver accepts
// from a signer.
const MinExpiration = 10 * time.Minute

// skew is how far iat and nbf can be from this machine's clock. kube-apiserver
// runs on the same machine and gives up after 34 seconds.
const skew = time.Minute

// Limits are what one kube-apiserver's tokens must comply with, whatever the
// service account.
type Limits struct {
	Issuer        string        // compared byte by byte
	MaxExpiration time.Duration // from iat to exp
}

// Check returns why claims don't comply at a moment, as an *Error, or nil.
func (l Limits) Check(c Claims, now time.Time) error {
	switch {
	case c.Issuer == "" || c.Issuer != l.Issuer:
		return &Error{ipc.CodeClaimNotAllowed, "The token signer does not sign for this issuer. Compare --service-account-issuer with the signer's configuration."}
	case !near(c.IssuedAt, now):
		return &Error{ipc.CodeClaimNotAllowed, "The token's iat is not now. Check the clock of the API server."}
	case !near(c.NotBefore, now):
		return &Error{ipc.CodeClaimNotAllowed, "The token's nbf is not now. Check the clock of the API server."}
	case c.ExpiresAt <= c.IssuedAt:
		return &Error{ipc.CodeLifetimeNotAllowed, "The token would have expired before it was issued."}
	case c.ExpiresAt-c.IssuedAt > int64(l.MaxExpiration/time.Second):
		return &Error{ipc.CodeLifetimeNotAllowed, fmt.Sprintf("The token signer signs tokens for up to %d seconds.", int64(l.MaxExpiration/time.Second))}
	}
	return nil
}

// near compares without arithmetic on what the caller wrote, which may
// overflow.
func near(seconds int64, now time.Time) bool {
	return seconds >= now.Add(-skew).Unix() && seconds <= now.Add(skew).Unix()
}
